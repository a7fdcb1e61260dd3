import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@tidemark/errors/app-error';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type BackupFiles, openBackupFiles } from '@tidemark/storage/backup-files';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findLocks, lockedForMs } from './checkpoint-lock.ts';

const signal = AbortSignal.timeout(10_000);

const until = (ms: number) => JSON.stringify({ 'lock-id': 1, 'expire-at': Date.now() + ms });

describe('the lock of a br', () => {
  let root: string;
  let files: BackupFiles;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-lock-'));
    const storage = Storage.create({ location: { $case: 'local', value: { path: root } } });
    files = await openBackupFiles(storage, 'c1/p', {});
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const LOCK = 'checkpoints/backup/checkpoint.lock';

  it.each([LOCK, 'checkpoints/checkpoint.lock', '/checkpoints/backup/checkpoint.lock', '/checkpoints/checkpoint.lock'])(
    'guards its path in %s until it expires, and not when it is removed',
    async (name) => {
      expect(await lockedForMs(files, signal)).toBe(0);
      await files.write(name, until(200_000), signal);
      const left = await lockedForMs(files, signal);
      expect(left).toBeGreaterThan(150_000);
      expect(left).toBeLessThanOrEqual(200_000);
      await files.write(name, until(-1), signal);
      expect(await lockedForMs(files, signal)).toBe(0);
      await files.write(name, until(200_000), signal);
      const found = await findLocks(files, signal);
      const names = found.map((lock) => lock.name);
      expect(names).toEqual([name.replace(/^\//, '')]);
      expect(await files.remove(names, signal)).toEqual([]);
      expect(await lockedForMs(files, signal)).toBe(0);
    },
  );
  it('is believed for ten minutes at most, and for five when it is half-written', async () => {
    await files.write(LOCK, until(86_400_000), signal);
    expect(await lockedForMs(files, signal)).toBeGreaterThan(590_000);
    expect(await lockedForMs(files, signal)).toBeLessThanOrEqual(600_000);
    await files.write(LOCK, '{"lock-id": 1, "exp', signal);
    expect(await lockedForMs(files, signal)).toBe(300_000);
  });
  it.each([
    ['that is damaged', ''],
    ['that says that it lasts for a day', until(86_400_000)],
    ['that is far too long', ' '.repeat(100_000)],
  ])('%s guards its path no longer than ten minutes after it was written', async (_, content) => {
    await files.write(LOCK, content, signal);
    expect(await lockedForMs(files, signal)).toBeGreaterThan(0);
    const longAgo = new Date(Date.now() - 660_000);
    utimesSync(join(root, 'c1/p', LOCK), longAgo, longAgo);
    expect(await lockedForMs(files, signal)).toBe(0);
  });
  it('that is no file at all guards nothing', async () => {
    mkdirSync(join(root, 'c1/p', LOCK), { recursive: true });
    execFileSync('mkfifo', [join(root, 'c1/p/checkpoints/checkpoint.lock')]);
    expect(await lockedForMs(files, signal)).toBe(0);
  });
  it('that cannot be read may be that of a br at work', async () => {
    await files.write(LOCK, until(200_000), signal);
    const denied = new AppError('storage_unusable', 'Access is denied.');
    const unread: BackupFiles = { ...files, read: () => Promise.reject(denied) };
    await expect(lockedForMs(unread, signal)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'Whether a br is at work in the path cannot be found out: Access is denied.',
    });
  });
});
