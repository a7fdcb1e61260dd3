import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ConfigError, configReader } from './env.ts';
import { readTiming } from './timing.ts';

const about = 'For a test.';

it('names every wrong setting at once', () => {
  const reader = configReader({ A_PORT: 'x', A_FLAG: 'maybe', A_ADDRESS: 'nowhere' });
  reader.text('A_NAME', { about });
  reader.integer('A_PORT', { about, default: 1, max: 65_535 });
  reader.flag('A_FLAG', { about, default: false });
  reader.address('A_ADDRESS', { about, default: '' });
  const finish = () => reader.finish();
  expect(finish).toThrow(ConfigError);
  for (const name of ['A_NAME', 'A_PORT', 'A_FLAG', 'A_ADDRESS']) expect(finish).toThrow(name);
});

it('takes numbers as people write them, and in no other way', () => {
  const written = (text: string) => configReader({ N: text });
  expect(written('16').integer('N', { about, default: 1 })).toBe(16);
  expect(written('0.05').seconds('N', { about, default: 1 })).toBe(50);
  for (const text of ['0x10', '0b1', '0o7', '1e3', 'Infinity', '1_000', '1,5', '.5', '5.', '1.5']) {
    const reader = written(text);
    expect(reader.integer('N', { about, default: 7 }), text).toBe(7);
    expect(() => reader.finish(), text).toThrow(`N must be a whole number from 0 to 9007199254740991, not "${text}"`);
  }
  const reader = written('1e3');
  reader.seconds('N', { about, default: 1 });
  expect(() => reader.finish()).toThrow('N must be a number of seconds');
});

it('takes defaults where nothing is set and is content', () => {
  const reader = configReader({});
  expect(reader.seconds('S', { about, default: 1.5 })).toBe(1_500);
  expect(reader.list('L', { about, default: ['a'] })).toEqual(['a']);
  expect(reader.address('D', { about, default: '[::1]:4118' })).toEqual({ host: '[::1]', port: 4118 });
  reader.finish();
});

it('reads a secret from the file that NAME_FILE names, and says which file cannot be read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-env-'));
  try {
    writeFileSync(join(folder, 'token'), 'hush\n');
    expect(configReader({ TOKEN_FILE: join(folder, 'token') }).secret('TOKEN', { about })).toBe('hush');
    const reader = configReader({ TOKEN_FILE: join(folder, 'none') });
    reader.secret('TOKEN', { about });
    expect(() => reader.finish()).toThrow(/TOKEN_FILE names .*none.*ENOENT/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('refuses to start with a file that should hold a secret and holds none: never open without a word', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-env-'));
  try {
    const empty = join(folder, 'empty');
    writeFileSync(empty, ' \n');
    const huge = join(folder, 'huge');
    writeFileSync(huge, 'x'.repeat(65_537));
    for (const [file, why] of [
      [empty, 'is empty'],
      [huge, 'is too large (over 65536 bytes)'],
      [folder, 'is not a regular file'],
      ['/dev/zero', 'is not a regular file'],
    ] as const) {
      const reader = configReader({ TIDEMARK_SERVICE_TOKEN_FILE: file });
      expect(reader.secret('TIDEMARK_SERVICE_TOKEN', { about })).toBeUndefined();
      expect(() => reader.finish()).toThrow(`TIDEMARK_SERVICE_TOKEN_FILE names ${file}, which ${why}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('accepts the timing of the design as it stands', () => {
  const reader = configReader({});
  expect(readTiming(reader)).toMatchObject({ leaseMs: 30_000, renewMs: 10_000, guardMs: 20_000, lossLimit: 5 });
  reader.finish();
});

it('refuses timings under which two br could run at once', () => {
  const reader = configReader({ TIDEMARK_GUARD_SECONDS: '40' });
  readTiming(reader);
  expect(() => reader.finish()).toThrow('a second br could start beside the first');
});
