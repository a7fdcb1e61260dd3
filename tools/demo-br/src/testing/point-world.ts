import { cpSync } from 'node:fs';
import { expect } from 'vitest';
import { clusterDigests } from '../cluster-digests.ts';
import type { DemoCluster } from '../demo-cluster.ts';
import { performTask } from '../demo-cluster-task.ts';
import {
  fieldsOf,
  SOURCE_PD,
  TARGET_PD,
  type TestResult,
  type TestRun,
  type TestStorage,
  testStorage,
} from '../test-run.ts';
import { lastRow, type Writes } from '../writes.ts';

// For this package's tests only: a cluster that writes, its backup and its log, and an empty cluster beside it.

/** What every test begins with. The log has several files. */
export interface PointWorld {
  readonly prepared: TestStorage;
  /** A row every 10 ms. */
  readonly writes: Writes;
  readonly backupTs: bigint;
  /** From and to when the log reaches. */
  readonly start: bigint;
  readonly end: bigint;
}

const SIGNAL = new AbortController().signal;

export async function preparePointWorld(): Promise<PointWorld> {
  const prepared = testStorage();
  const source = prepared.cluster(SOURCE_PD);
  const log = (...words: string[]) => prepared.start(['log', ...words, '--pd', SOURCE_PD]).ended;
  const insert = (db: string, table: string, handle: number, value: string) =>
    performTask(source, { verb: 'insert', name: { db, table }, handle, value }, SIGNAL);
  await source.touch();
  await log('start', '--task-name', 'pitr', '--storage', `local://${prepared.path('log')}`);
  const writes = { db: 'shop', table: 'ticks', everyMs: 10, since: Date.now() };
  await source.changeState(() => ({ writes }));
  await insert('shop', 'orders', 7, 'before');
  const { BackupTS = '0' } = fieldsOf((await prepared.backup('full').ended).stdout, 'backup encode timestamp');
  await insert('shop', 'orders', 7, 'after');
  await insert('crm', 'young', 1, 'one');
  for (let looks = 0; looks < 4; looks += 1) await log('status');
  const { logTask } = await source.readState();
  await performTask(prepared.cluster(TARGET_PD), { verb: 'empty' }, SIGNAL);
  const [start, end] = [BigInt(logTask?.startTs ?? 0), BigInt(logTask?.checkpoint ?? 0)];
  return { prepared, writes, backupTs: BigInt(BackupTS), start, end };
}

export interface RestoreArguments {
  readonly full?: string;
  readonly log?: string;
  readonly more?: readonly string[];
}

/** A copy of that world, to be disposed. */
export interface PointStorage extends AsyncDisposable {
  readonly storage: TestStorage;
  readonly source: DemoCluster;
  readonly target: DemoCluster;
  at(name: string): string;
  br(...argv: readonly string[]): Promise<TestResult>;
  /** Starts `restore point` into the target. */
  start(restoredTs: bigint | undefined, given?: RestoreArguments): TestRun;
  restore(
    restoredTs: bigint | undefined,
    given?: RestoreArguments,
  ): Promise<TestResult & { readonly error: string | undefined }>;
  /** Fails the test unless the target holds exactly what the source held at a time. */
  expectRowsOf(ts: bigint): Promise<void>;
}

export function pointStorage({ prepared, writes }: PointWorld): PointStorage {
  const storage = testStorage();
  cpSync(prepared.root, storage.root, { recursive: true });
  const [source, target] = [storage.cluster(SOURCE_PD), storage.cluster(TARGET_PD)];
  const at = (name: string) => `local://${storage.path(name)}`;
  const start: PointStorage['start'] = (restoredTs, { full = 'full', log = 'log', more = [] } = {}) =>
    storage.start(
      [
        ...['restore', 'point', '--pd', TARGET_PD, '--full-backup-storage', at(full), '--storage', at(log)],
        ...(restoredTs === undefined ? [] : ['--restored-ts', String(restoredTs)]),
        ...more,
      ],
      { BR_LOG_TO_TERM: '1' },
    );
  return {
    storage,
    source,
    target,
    at,
    br: (...argv) => storage.start(argv, { BR_LOG_TO_TERM: '1' }).ended,
    start,
    async restore(restoredTs, given) {
      const result = await start(restoredTs, given).ended;
      return { ...result, error: /^Error: (.*)$/m.exec(result.stderr)?.[1] };
    },
    async expectRowsOf(ts) {
      const actual = await clusterDigests(target);
      const expected = await clusterDigests(source, ts);
      // Of what people change, a cluster keeps no history.
      for (const name of ['shop.orders', 'crm.young']) {
        delete actual[name];
        delete expected[name];
      }
      expect(actual).toEqual(expected);
      expect(actual['shop.ticks']?.lastRow).toBe(lastRow(writes, ts));
    },
    [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
  };
}
