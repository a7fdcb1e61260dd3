import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sealedBackup } from '@tidemark/backupmeta/testing/sealed-backup';
import { BackupMeta } from '@tidemark/protocol/br/backup';
import { StorageMarker } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RestoreGrant } from './task.ts';
import { openTestWorker, type RunSettings, type TestWorker } from './testing/test-worker.ts';

const DATA = join(import.meta.dirname, 'testdata');
const CHOSEN = { tso: 435_844_546_560_000_000n, tidbClusterId: 7n };
/** A success of the backup that lies in the storage. */
const SUCCEEDS = `sed 's/BackupTS=[0-9]*/BackupTS=${CHOSEN.tso}/' ${DATA}/success.stdout`;

let worker: TestWorker;
beforeEach(async () => {
  worker = await openTestWorker();
  for (const [name, content] of sealedBackup()) {
    const file = join(worker.root, 'storage', 'nfs', 'c1', 'p', name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
});
afterEach(() => worker[Symbol.dispose]());

interface Settings extends Omit<Partial<RunSettings>, 'grant' | 'program' | 'env'> {
  readonly grant?: Partial<RestoreGrant>;
}

/** Runs a granted restore with a shell script as `br`. */
function run(script: string, { grant = {}, ...settings }: Settings = {}): Promise<string> {
  const program = join(worker.root, 'br');
  writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return worker.run({ program, env: { PATH: process.env.PATH }, grant: { ...CHOSEN, ...grant }, ...settings });
}
const FLUSHES = 'trap "exit 1" TERM; echo up; while :; do sleep 0.02; done';

describe('a granted restore', () => {
  it('is run, and its success reported once br is gone; its folder goes then', async () => {
    const argv: string[][] = [];
    const announced = async (starting: { readonly argv: readonly string[] }) => {
      expect(existsSync(join(worker.stateDir, 'restores', 'token', 'run.json'))).toBe(true);
      argv.push([...starting.argv]);
      return performance.now() + 60_000;
    };
    const script = `echo "$@"; ${SUCCEEDS}`;
    expect(await run(script, { announce: announced, grant: { rateLimit: 9 } })).toBe('succeeded');
    expect(worker.told).toMatchObject([
      { how: 'complete', end: { kind: 'succeeded', summary: { sizeBytes: 275_671n } } },
    ]);
    expect(argv).toHaveLength(1);
    expect(worker.printed()).toContain(`${argv[0]?.join(' ')} --ratelimit 9`);
    expect(argv[0]?.slice(0, 2)).toEqual(['restore', 'full']);
    expect(worker.kept()).toEqual([]);
  });

  it('keeps its folder as long as its end was not answered, for the next worker', async () => {
    expect(await run(SUCCEEDS, { answer: 'unanswered' })).toBe('unanswered');
    expect(worker.kept()).toEqual(['token']);
  });

  it('says what br refused', async () => {
    const script = `cat ${DATA}/not-fresh.stdout; cat ${DATA}/not-fresh.stderr >&2; exit 1`;
    expect(await run(script)).toBe('notFresh: TARGET_NOT_EMPTY');
  });

  it.each([
    ['canceled', () => worker.canceling, 'complete'],
    ['drained', () => worker.drain, 'release'],
  ] as const)('starts nothing where it is %s before', async (_, asker, how) => {
    asker().abort();
    await run('echo up');
    expect(worker.told).toMatchObject([{ how, end: { kind: 'none' } }]);
    expect(worker.printed()).toBe('');
    expect(worker.kept()).toEqual([]);
  });

  it('starts nothing where it may not, and gives the task back', async () => {
    expect(await run('echo up', { announce: async () => undefined })).toBe('released');
    expect(worker.told).toMatchObject([{ how: 'release', end: { kind: 'none' } }]);
    expect(worker.printed()).toBe('');
  });

  it('is completed where a cancel came with the answer to its start', async () => {
    await run('echo up', {
      announce: async () => {
        worker.canceling.abort();
        return undefined;
      },
    });
    expect(worker.told).toMatchObject([{ how: 'complete', end: { kind: 'none', reason: { code: 'CANCELED' } } }]);
  });

  it.each([
    ['canceled', () => worker.canceling, 'complete'],
    ['drained', () => worker.drain, 'release'],
  ] as const)('is stopped where it is %s while br runs', async (_, asker, how) => {
    const running = run(FLUSHES);
    await vi.waitFor(() => expect(worker.printed()).toContain('up'));
    asker().abort();
    await running;
    expect(worker.told).toMatchObject([{ how, end: { kind: 'stopped' } }]);
    expect(worker.kept()).toEqual([]);
  });

  it('has its end worker.told late where the task was lost, and its folder kept until that was answered', async () => {
    const running = run(FLUSHES, { answer: 'unanswered' });
    await vi.waitFor(() => expect(worker.printed()).toContain('up'));
    worker.lost.abort();
    expect(await running).toBe('lost');
    expect(worker.told).toMatchObject([{ how: 'lateEnd', end: { kind: 'stopped', reason: { code: 'TASK_LOST' } } }]);
    expect(worker.kept()).toEqual(['token']);
  });

  it('has nothing to tell where the task was lost before br was started', async () => {
    const announce = async () => {
      worker.lost.abort();
      return undefined;
    };
    expect(await run('echo up', { announce })).toBe('lost');
    expect(worker.told).toEqual([]);
    expect(worker.kept()).toEqual([]);
  });

  it('looks again before it calls its source damaged: a folder may be moved away and back', async () => {
    const [folder, elsewhere] = [join(worker.root, 'storage', 'nfs', 'c1'), join(worker.root, 'elsewhere')];
    renameSync(folder, elsewhere);
    const pause = async () => renameSync(elsewhere, folder);
    expect(await run(SUCCEEDS, { pause })).toBe('succeeded');
  });

  it('is refused where a file of its source is missing, before br is started', async () => {
    rmSync(join(worker.root, 'storage', 'nfs', 'c1', 'p', '1', 'a_write.sst'));
    expect(await run('echo up')).toBe('refused: SOURCE_DAMAGED');
    expect(worker.told).toMatchObject([{ end: { sourceDamaged: true } }]);
    expect(worker.told[0]?.end?.reason?.message).toMatch(/1\/a_write\.sst.*Nothing was changed in the target\.$/);
    expect(worker.printed()).toBe('');
  });

  it('is refused of an incremental backup, which br would take for a whole one', async () => {
    const file = join(worker.root, 'storage', 'nfs', 'c1', 'p', 'backupmeta');
    const meta = BackupMeta.decode(readFileSync(file));
    writeFileSync(file, BackupMeta.encode({ ...meta, startVersion: 5n }).finish());
    expect(await run('echo up')).toBe('refused: DOES_NOT_FIT');
    expect(worker.printed()).toBe('');
  });

  const marker = StorageMarker.create({ number: '0123456789abcdef0123456789abcdef' });
  it('waits where another share than its storage is mounted', async () => {
    mkdirSync(join(worker.root, 'storage', 'nfs', '.tidemark'));
    const other = { schemaVersion: 1, storageId: 's', number: marker.number.replace('0', '1') };
    writeFileSync(join(worker.root, 'storage', 'nfs', '.tidemark', 's.json'), JSON.stringify(other));
    expect(await run('echo up', { grant: { marker } })).toBe('wait: STORAGE_AWAY');
    expect([worker.printed(), worker.unreached]).toEqual(['', ['d']]);
  });

  it('waits where its share is not mounted, and does not take its backup for gone', async () => {
    rmSync(join(worker.root, 'storage', 'nfs'), { recursive: true });
    expect(await run('echo up', { grant: { marker } })).toBe('wait: STORAGE_AWAY');
    expect(await run('echo up')).toBe('refused: SOURCE_GONE');
  });

  it('is left to another worker where this one cannot use its storage, and refused in the end', async () => {
    rmSync(join(worker.root, 'storage'), { recursive: true });
    expect(await run('echo up', { grant: { waits: 9 } })).toBe('wait: STORAGE_UNUSABLE');
    expect(await run('echo up', { grant: { waits: 10 } })).toBe('refused: STORAGE_UNUSABLE');
    expect([worker.printed(), worker.unreached]).toEqual(['', ['d', 'd']]);
  });

  it('waits for a worker with the br that began it', async () => {
    expect(await run('echo up', { grant: { brVersion: 'v8.5.1', wasPartial: true } })).toBe('wait: NO_FITTING_BR');
    expect(worker.told[0]?.end?.reason?.message).toContain('the target may hold what earlier ones left');
  });

  it('has the same options on every attempt, and is left to others where this worker would call br in another way', async () => {
    const argv: string[][] = [];
    const announce = async (starting: { readonly argv: readonly string[] }) => {
      argv.push([...starting.argv]);
      return undefined;
    };
    const source = { storage: worker.storage, path: 'nfs/c1/p', key: undefined };
    const options = { loadStats: false, placementPolicies: 'ignore' };
    const order = { source, target: { pd: ['10.0.0.2:2379'], tls: undefined }, options };
    await run('echo up', { announce, grant: { order } });
    const argvBefore = argv[0] ?? [];
    expect(argvBefore).toContain('--load-stats=false');
    await run('echo up', { announce, grant: { order, argvBefore, wasPartial: true } });
    expect(argv).toEqual([argvBefore, argvBefore]);
    const other = { order, argvBefore: [...argvBefore, '--online'], wasPartial: true };
    expect(await run('echo up', { announce, grant: other })).toBe('wait: OTHER_COMMAND');
    expect(argv).toHaveLength(2);
  });

  describe('of a part of the backup', () => {
    const part = (filter: readonly string[], fields: Partial<RestoreGrant> = {}): Partial<RestoreGrant> => ({
      order: {
        source: { storage: worker.storage, path: 'nfs/c1/p', key: undefined },
        target: { pd: ['10.0.0.2:2379'], tls: undefined },
        options: { filter },
      },
      existingTablesAccepted: true,
      ...fields,
    });

    it('has the same filter on every attempt', async () => {
      const argv: string[][] = [];
      const announce = async (starting: { readonly argv: readonly string[] }) => {
        argv.push([...starting.argv]);
        return undefined;
      };
      await run('echo up', { announce, grant: part(['analyzed.t', '!analyzed.x']) });
      const argvBefore = argv[0] ?? [];
      expect(argvBefore.join(' ')).toContain(
        '--filter analyzed.t --filter !analyzed.x --filter !__TiDB_BR_Temporary_*.*',
      );
      const again = { argvBefore, wasPartial: true, brVersion: 'v8.5.0' };
      await run('echo up', { announce, grant: part(['analyzed.t', '!analyzed.x'], again) });
      expect(argv).toEqual([argvBefore, argvBefore]);
      for (const filter of [[], ['analyzed.*'], ['!analyzed.x', 'analyzed.t']])
        expect(await run('echo up', { announce, grant: part(filter, again) })).toBe('wait: OTHER_COMMAND');
    });

    it('is refused before br is started where the backup does not hold what the filter names, or nothing that it chooses', async () => {
      expect(await run('echo up', { grant: part(['analyzed.t', 'shop.orders']) })).toBe('refused: NOT_IN_BACKUP');
      expect(worker.told[0]?.end?.reason?.message).toBe(
        'The backup does not hold what "filter" names: shop.orders. Nothing was changed in the target.',
      );
      expect(await run('echo up', { grant: part(['*.x*']) })).toBe('refused: NOTHING_MATCHED');
      expect(worker.printed()).toBe('');
    });

    it('waits for a br that refuses tables which exist, unless somebody said that there are none', async () => {
      const grant = part(['analyzed.*'], { existingTablesAccepted: false });
      expect(await run('echo up', { grant })).toBe('wait: NO_FITTING_BR');
      expect(worker.told[0]?.end?.reason?.message).toContain('v8.5.5 or later');
      expect(await run(SUCCEEDS, { grant, version: 'v8.5.6' })).toBe('succeeded');
      expect(await run(SUCCEEDS, { grant: part(['analyzed.*']) })).toBe('succeeded');
    });
  });

  it('is never started with what nobody may ask for, whoever wrote it into the record', async () => {
    const source = { storage: Storage.create({ id: 's' }), path: 'nfs/c1/../p', key: undefined };
    const target = { pd: ['127.0.0.1:2379'], tls: undefined };
    for (const order of [
      { source, target, options: {} },
      { source: { ...source, path: 'nfs/c1/p' }, target: { ...target, pd: ['--online'] }, options: {} },
      { source: { ...source, path: 'nfs/c1/p' }, target, options: { extra: { online: 'true' } } },
      { source: { ...source, path: 'nfs/c1/p' }, target, options: { filter: ['@/etc/passwd'] } },
    ])
      expect(await run('echo up', { grant: { order, existingTablesAccepted: true } })).toBe('refused: OPTIONS_REFUSED');
    expect(worker.printed()).toBe('');
  });
});
