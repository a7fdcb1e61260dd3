import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryLock, waitForLock } from './file-lock.ts';
import { identifySelf } from './identity.ts';

describe('a lock', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-lock-'));
    path = join(folder, 'deep', 'lock');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const take = () => {
    const lock = tryLock(path);
    if ('holder' in lock) throw new Error(`held by ${lock.holder.pid}`);
    return lock;
  };

  it('is held by one process at a time, which it names, and leaves nothing behind', () => {
    const lock = take();
    expect(tryLock(path)).toEqual({ holder: identifySelf() });
    lock[Symbol.dispose]();
    take()[Symbol.dispose]();
    expect(readdirSync(join(folder, 'deep'))).toEqual([]);
  });

  it.each([
    ['a dead process', JSON.stringify({ pid: 2 ** 22 - 3, startedAt: 'then' })],
    ['a process that had the pid before', JSON.stringify({ ...identifySelf(), startedAt: 'then' })],
    ['nobody: its file is damaged', '{"pid":'],
  ])('is nobody’s when it is of %s', (_, content) => {
    take()[Symbol.dispose]();
    writeFileSync(path, content);
    using _lock = take();
    expect(readdirSync(join(folder, 'deep'))).toEqual(['lock']);
  });

  it('is waited for, as long as the signal allows', async () => {
    const first = take();
    let waited = 0;
    const second = waitForLock(path, AbortSignal.timeout(30_000), () => {
      waited += 1;
      first[Symbol.dispose]();
    });
    (await second)[Symbol.dispose]();
    expect(waited).toBe(1);
    using _held = take();
    const abort = new AbortController();
    const never = waitForLock(path, abort.signal, () => abort.abort(new Error('stop')));
    await expect(never).rejects.toMatchObject({ cause: { message: 'stop' } });
    expect(existsSync(path)).toBe(true);
  });
});
