import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removePath } from './remove-task.ts';
import { type BackupFiles, openBackupFiles } from './storage/backup-files.ts';

const signal = AbortSignal.timeout(60_000);
const MIB = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('removing a path', () => {
  let root: string;
  let files: BackupFiles;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-remove-'));
    const storage = Storage.create({ location: { $case: 'local', value: { path: root } } });
    files = await openBackupFiles(storage, 'c1/p', {});
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const fill = (names: Iterable<string>) => {
    const folders = new Set<string>();
    for (const name of names) {
      const file = join(root, 'c1/p', name);
      const folder = join(file, '..');
      if (!folders.has(folder)) mkdirSync(folder, { recursive: true });
      folders.add(folder);
      writeFileSync(file, name);
    }
  };
  const left = async () => (await Array.fromAsync(files.list(signal))).map(({ name }) => name).sort();

  it('begins with backupmeta, ends with the lock when it is alone, and then looks again', async () => {
    fill(['backup.lock', 'backupmeta', '1/a.sst', '2/b.sst']);
    const done: string[] = [];
    const recording: BackupFiles = {
      ...files,
      list(abort) {
        done.push('list');
        return files.list(abort);
      },
      remove(names, abort) {
        done.push(`remove ${names.toSorted().join(' ')}`);
        return files.remove(names, abort);
      },
      finishRemoval(abort) {
        done.push('finish');
        return files.finishRemoval(abort);
      },
    };
    const bytes = BigInt('backup.lockbackupmeta1/a.sst2/b.sst'.length);
    expect(await removePath(recording, 'c1/p', signal)).toEqual({ kind: 'removed', bytes });
    expect(done).toEqual([
      'list',
      'remove backupmeta',
      'list',
      'remove 1/a.sst 2/b.sst',
      'list',
      'remove backup.lock',
      'list',
      'finish',
    ]);
    expect(existsSync(join(root, 'c1/p'))).toBe(false);
  });

  it('is done where nothing is left, so that any other worker can finish a removal', async () => {
    expect(await removePath(files, 'c1/p', signal)).toEqual({ kind: 'removed', bytes: 0n });
  });

  it('tells which file stays and why, and leaves the lock (C1)', async () => {
    fill(['backup.lock', 'backupmeta', '1/a.sst', '2/b.sst']);
    const stubborn: BackupFiles = {
      ...files,
      async remove(names, abort) {
        const others = names.filter((name) => name !== '1/a.sst');
        const failures = await files.remove(others, abort);
        return others.length < names.length ? [...failures, { name: '1/a.sst', why: 'EACCES' }] : failures;
      },
    };
    expect(await removePath(stubborn, 'c1/p', signal)).toEqual({
      kind: 'failed',
      reason: {
        code: 'FILES_LEFT',
        message: '2 of 4 files of c1/p could not be removed, among them 1/a.sst; it is tried again.',
        detail: '1/a.sst: EACCES',
      },
    });
    expect(await left()).toEqual(['1/a.sst', 'backup.lock']);
  });

  it('takes nothing from a backup whose backupmeta stays', async () => {
    fill(['backupmeta', '1/a.sst']);
    const stubborn: BackupFiles = {
      ...files,
      remove: async (names) => names.map((name) => ({ name, why: 'EPERM' })),
    };
    expect(await removePath(stubborn, 'c1/p', signal)).toMatchObject({
      kind: 'failed',
      reason: { code: 'FILES_LEFT', detail: 'backupmeta: EPERM' },
    });
    expect(await left()).toEqual(['1/a.sst', 'backupmeta']);
  });

  it('comes to an end where files are said to be removed and are listed all the same', async () => {
    fill(['1/a.sst']);
    expect(await removePath({ ...files, remove: async () => [] }, 'c1/p', signal)).toMatchObject({
      kind: 'failed',
      reason: { code: 'FILES_LEFT', message: expect.stringMatching(/1 of 1 files .* among them 1\/a\.sst/) },
    });
  });

  it('takes what a listing left out, and what was written meanwhile', async () => {
    fill(['1/a.sst', '1/b.sst', '1/c.sst', '1/d.sst']);
    let hidden = true;
    const forgetful: BackupFiles = {
      ...files,
      async *list(abort) {
        for await (const file of files.list(abort)) if (!(hidden && file.name === '1/b.sst')) yield file;
      },
      remove(names, abort) {
        if (hidden) fill(['2/late.sst']);
        hidden = false;
        return files.remove(names, abort);
      },
    };
    expect(await removePath(forgetful, 'c1/p', signal)).toMatchObject({ kind: 'removed' });
    expect(await left()).toEqual([]);
  });

  it('holds a batch of names at a time, also of 100,000 files', { timeout: 120_000 }, async () => {
    const count = 100_000;
    fill(
      (function* () {
        yield 'backupmeta';
        for (let file = 2; file <= count; file++) yield `${file % 3}/${file}_0123456789abcdef0123456789abcdef.sst`;
      })(),
    );
    let removed = 0;
    let largest = 0;
    let heap = 0;
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const measured: BackupFiles = {
      ...files,
      async remove(names, abort) {
        largest = Math.max(largest, names.length);
        const failures = await files.remove(names, abort);
        removed += names.length;
        if (removed % 10_000 < names.length) {
          collectGarbage();
          heap = Math.max(heap, process.memoryUsage().heapUsed - before);
        }
        return failures;
      },
    };
    expect(await removePath(measured, 'c1/p', signal)).toMatchObject({ kind: 'removed' });
    expect({ removed, largest }).toEqual({ removed: count, largest: 1_000 });
    expect(heap).toBeLessThan(4 * MIB);
    expect(existsSync(join(root, 'c1/p'))).toBe(false);
  });
});
