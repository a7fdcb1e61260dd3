import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ConfigError, configReader } from './env.ts';
import { readTiming } from './timing.ts';

it('names every wrong setting at once', () => {
  const reader = configReader({ A_PORT: 'x', A_FLAG: 'maybe', A_ADDRESS: 'nowhere', A_WORD: 'blue' });
  reader.text('A_NAME');
  reader.integer('A_PORT', { default: 1, max: 65_535 });
  reader.flag('A_FLAG', false);
  reader.address('A_ADDRESS');
  reader.oneOf('A_WORD', ['red', 'green'], 'red');
  const finish = () => reader.finish();
  expect(finish).toThrow(ConfigError);
  for (const name of ['A_NAME', 'A_PORT', 'A_FLAG', 'A_ADDRESS', 'A_WORD']) expect(finish).toThrow(name);
});

it('takes defaults where nothing is set and is content', () => {
  const reader = configReader({});
  expect(reader.seconds('S', { default: 1.5 })).toBe(1_500);
  expect(reader.list('L', ['a'])).toEqual(['a']);
  expect(reader.address('D', '[::1]:4118')).toEqual({ host: '[::1]', port: 4118 });
  reader.finish();
});

it('reads a secret from the file that NAME_FILE names, and says which file cannot be read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-env-'));
  try {
    writeFileSync(join(folder, 'token'), 'hush\n');
    expect(configReader({ TOKEN_FILE: join(folder, 'token') }).secret('TOKEN')).toBe('hush');
    const reader = configReader({ TOKEN_FILE: join(folder, 'none') });
    reader.secret('TOKEN');
    expect(() => reader.finish()).toThrow(/TOKEN_FILE names .*none.*ENOENT/);
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
