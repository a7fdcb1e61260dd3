import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FileRules, useFile } from './secret-file.ts';

describe('a file that a cluster or storage names', () => {
  let folder: string;
  let inside: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-secret-'));
    inside = join(folder, 'secrets');
    mkdirSync(join(inside, 'folder'), { recursive: true });
    for (const [name, mode] of [
      ['good', 0o600],
      ['open', 0o644],
    ] as const)
      writeFileSync(join(inside, name), 'secret', { mode });
    writeFileSync(join(folder, 'outside'), 'secret', { mode: 0o600 });
    writeFileSync(join(inside, 'large'), Buffer.alloc(65), { mode: 0o600 });
    symlinkSync('good', join(inside, 'link'));
    symlinkSync('../outside', join(inside, 'way-out'));
    symlinkSync('/dev/zero', join(inside, 'zero'));
    execFileSync('mkfifo', [join(inside, 'fifo')]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const rules = (): FileRules => ({ folder: inside, maxBytes: 64, readers: 'worker', must: 'must be fine' });
  const read = (file: string, more: Partial<FileRules> = {}) =>
    useFile(file, { ...rules(), ...more }, AbortSignal.timeout(5_000), (content) => content.toString());

  it.each(['good', 'link'])(
    'is read below the folder for secrets, also through a link that ends there: %s',
    async (name) => expect(await read(join(inside, name))).toBe('secret'),
  );

  it.each([
    ['missing', 'ENOENT'],
    ['open', 'others can read it'],
    ['large', 'is too large'],
    ['folder', 'no regular file'],
    ['fifo', 'no regular file'],
    ['zero', 'outside of the folder'],
    ['way-out', 'outside of the folder'],
    ['../outside', 'outside of the folder'],
    ['good/x', 'ENOTDIR'],
  ])(
    'that is %s is refused in the same words, at once, and without being opened to its end; the log is told why',
    async (name, why) => {
      const file = join(inside, name);
      await expect(read(file)).rejects.toMatchObject({
        code: 'storage_unusable',
        message: `The file ${file} cannot be used on this worker: it must be fine.`,
        cause: { message: expect.stringContaining(why) },
      });
    },
  );

  it('whose content does not fit is refused in the same words', async () => {
    const file = join(inside, 'good');
    await expect(useFile(file, rules(), AbortSignal.timeout(5_000), () => undefined)).rejects.toMatchObject({
      message: `The file ${file} cannot be used on this worker: it must be fine.`,
      cause: { message: 'its content does not fit' },
    });
  });

  it.each(['/dev/zero', '/dev/stdin', '/proc/self/mem'])(
    'is never %s, also where no folder for secrets is set',
    async (file) =>
      expect(read(file, { folder: undefined, readers: 'anybody' })).rejects.toMatchObject({ code: 'storage_unusable' }),
  );

  it('is left alone once its reader has gone', async () => {
    const gone = AbortSignal.abort(new Error('canceled'));
    await expect(useFile(join(inside, 'good'), rules(), gone, () => true)).rejects.toThrow('canceled');
  });
});
