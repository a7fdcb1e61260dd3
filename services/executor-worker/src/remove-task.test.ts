import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RemoveGrant, TaskRef } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type BackupFiles, openBackupFiles } from '@tidemark/storage/backup-files';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Outcome } from './completion.ts';
import type { Lease } from './lease-keeper.ts';
import { removePath, runRemoveTask } from './remove-task.ts';

const signal = AbortSignal.timeout(180_000);
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

  it('tells of files whose names are no UTF-8 in words that can be sent', async () => {
    mkdirSync(join(root, 'c1/p'), { recursive: true });
    writeFileSync(Buffer.concat([Buffer.from(join(root, 'c1/p/')), Buffer.from('caf\xe9', 'latin1')]), '');
    const stubborn: BackupFiles = { ...files, remove: async (names) => names.map((name) => ({ name, why: 'EPERM' })) };
    expect(await removePath(stubborn, 'c1/p', signal)).toMatchObject({
      reason: { detail: 'caf\ufffd: EPERM', message: expect.stringContaining('caf\ufffd') },
    });
  });

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
    expect(await removePath(recording, 'c1/p', signal)).toEqual({
      kind: 'removed',
      count: 4,
      bytes,
      remark: '',
    });
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
    expect(await removePath(files, 'c1/p', signal)).toEqual({
      kind: 'removed',
      count: 0,
      bytes: 0n,
      remark: '',
    });
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

  it('holds a batch of names at a time, however many files there are', { timeout: 60_000 }, async () => {
    /** Removes so many files with long names; answers how much more memory was held meanwhile than before. */
    const heldOf = async (count: number): Promise<number> => {
      fill(
        (function* () {
          yield 'backupmeta';
          for (let file = 1; file < count; file++) yield `${file % 3}/${String(file).padStart(200, '0')}.sst`;
        })(),
      );
      let removed = 0;
      let largest = 0;
      let held = 0;
      collectGarbage();
      const before = process.memoryUsage().heapUsed;
      const measured: BackupFiles = {
        ...files,
        async remove(names, abort) {
          largest = Math.max(largest, names.length);
          const failures = await files.remove(names, abort);
          removed += names.length;
          collectGarbage();
          held = Math.max(held, process.memoryUsage().heapUsed - before);
          return failures;
        },
      };
      expect(await removePath(measured, 'c1/p', signal)).toMatchObject({ kind: 'removed' });
      expect({ removed, largest }).toEqual({ removed: count, largest: 1_000 });
      expect(existsSync(join(root, 'c1/p'))).toBe(false);
      return held;
    };
    await heldOf(1_100); // what is compiled and kept at the first time
    const few = await heldOf(1_100);
    const many = await heldOf(5_000);
    // The names alone of those that are more have 1 MiB.
    expect(many - few).toBeLessThan(MIB / 2);
  });
});

it('removes nothing of a path or storage that nobody could have registered, whoever wrote it into the record', async () => {
  const root = mkdtempSync(join(tmpdir(), 'tidemark-stranger-'));
  writeFileSync(join(root, 'kept'), 'x');
  mkdirSync(join(root, 'a'));
  const lost = new AbortController().signal;
  for (const [path, name] of [
    [`${root}/a/..`, 'b/c'],
    [root, 'a/../kept'],
    [root, 'a?b/c'],
  ] as const) {
    const told: unknown[] = [];
    await runRemoveTask(
      {
        task: TaskRef.create({}),
        grant: RemoveGrant.create({
          storage: Storage.create({ location: { $case: 'local', value: { path } } }),
          paths: [name],
        }),
        facts: { requestId: '', backupId: 'b', clusterId: 'c' },
        lease: { lost } as Lease,
      },
      {
        completion: {
          async complete(_, outcome) {
            told.push(outcome);
            return 'held';
          },
          release: async () => 'held',
        },
        drain: lost,
        env: {},
        instance: 'instance',
      },
    );
    expect(told).toMatchObject([
      { value: { reason: { message: expect.stringContaining('refuses what it was handed') } } },
    ]);
  }
  expect(existsSync(join(root, 'kept'))).toBe(true);
  rmSync(root, { recursive: true });
});

describe('a worker that cannot reach the storage of a removal', () => {
  const storage = Storage.create({ id: 's1', location: { $case: 'local', value: { path: '/nowhere/at/all' } } });
  const remove = async (storageDigest: string) => {
    const task = TaskRef.create({ backupId: 'b', claim: 'c', fence: 1n });
    const told: Outcome[] = [];
    const lease = { lost: new AbortController().signal } as Lease;
    const grant = {
      fence: 1n,
      clusterId: 'c1',
      storage,
      paths: ['c1/p'],
      requestId: 'r',
      storageDigest,
      marker: undefined,
    };
    await runRemoveTask(
      { task, grant, facts: { requestId: 'r', backupId: 'b', clusterId: 'c1' }, lease },
      {
        completion: {
          async complete(_, outcome) {
            told.push(outcome);
            return 'held';
          },
          release: async () => 'held',
        },
        drain: new AbortController().signal,
        env: {},
        instance: 'instance',
      },
    );
    return told;
  };

  it('gives it back for another one, and is told as a failure only to an older backup-service', async () => {
    const handBack = { instance: 'instance', passing: false, storage: true, notStarted: false };
    expect(await remove('digest')).toMatchObject([{ $case: 'wait', value: { handBack } }]);
    expect(await remove('')).toMatchObject([{ $case: 'removeFailed', value: { reason: { code: 'REMOVE_FAILED' } } }]);
  });
});
