import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BackupFiles, openBackupFiles } from '../storage/backup-files.ts';
import { LOCK_FILES, lockedForMs } from './checkpoint-lock.ts';

const signal = AbortSignal.timeout(10_000);

describe('the lock of a br', () => {
  let root: string;
  let files: BackupFiles;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-lock-'));
    const storage = Storage.create({ location: { $case: 'local', value: { path: root } } });
    files = await openBackupFiles(storage, 'c1/p', {});
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const until = (ms: number) => JSON.stringify({ 'lock-id': 1, 'expire-at': Date.now() + ms });

  it.each(LOCK_FILES)('guards its path in %s until it expires, and not when it is removed', async (name) => {
    expect(await lockedForMs(files, signal)).toBe(0);
    await files.write(name, until(200_000), signal);
    const left = await lockedForMs(files, signal);
    expect(left).toBeGreaterThan(150_000);
    expect(left).toBeLessThanOrEqual(200_000);
    await files.write(name, until(-1), signal);
    expect(await lockedForMs(files, signal)).toBe(0);
    await files.write(name, until(200_000), signal);
    expect(await files.remove(LOCK_FILES, signal)).toEqual([]);
    expect(await lockedForMs(files, signal)).toBe(0);
  });
  it('is believed for ten minutes at most, and for five when it is half-written', async () => {
    await files.write(LOCK_FILES[0], until(86_400_000), signal);
    expect(await lockedForMs(files, signal)).toBe(600_000);
    await files.write(LOCK_FILES[0], '{"lock-id": 1, "exp', signal);
    expect(await lockedForMs(files, signal)).toBe(300_000);
  });
});
