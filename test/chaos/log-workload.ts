/**
 * What people do about log backups while things break: of clusters that write rows all the time, and of one in which somebody else keeps a log.
 *
 * 1. What is done by hand changes only the task in its cluster, as `br log` by hand does.
 * 2. Once all is healed, the middle of every range that is shown is restored, and must hold the rows that the cluster had then.
 * 3. A log is truncated in the midst of what can be restored, by a person who was told what is lost and acknowledges it.
 * 4. In the end no log is wanted and nothing is being taken out of one, so that nothing is left to do.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clusterDigests } from '@tidemark/demo-br/cluster-digests';
import { type DemoCluster, demoCluster } from '@tidemark/demo-br/demo-cluster';
import { CLUSTERS_FOLDER } from '@tidemark/demo-br/demo-cluster-options';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import type { LogTask } from '@tidemark/demo-br/log-state';
import type { SampleSize } from '@tidemark/demo-br/sample-data';
import type { Answered, Client } from './client.ts';
import type { LogEvidence, PointSight } from './evidence.ts';
import { type Action, type LogActionKind, pickOf } from './plan.ts';
import type { World } from './world.ts';

/** Clusters with a log, by what their `br` is like. */
export const LOGGED: Readonly<Record<string, object>> = {
  'logged-1': { seconds: 0.5, logLagSeconds: 0, restore: { seconds: 1 } },
  'logged-2': { seconds: 1, logLagSeconds: 0, restore: { seconds: 1 } },
};
/** Somebody else keeps a log there. */
export const OF_OTHERS = 'logged-by-others';
/** What is restored into once all is healed. */
export const LOG_TARGET = 'log-target';

const WRITES = { db: 'shop', table: 'ticks', everyMs: 100 };
const THEIRS: LogTask = {
  ...{
    name: 'theirs',
    storage: 'local:///theirs',
    flags: {},
    printed: 'local:///theirs',
    startTs: '1',
    checkpoint: '1',
  },
  ...{ state: 'NORMAL', severity: '', keptUntil: 0, errors: [], standsStill: true },
};
const LOCAL_MS = 10_000;
const READY_MS = 60_000;
const POLL_MS = 500;
/** For one log; one that does not come to it leaves time for the others. */
const EACH_MS = 180_000;
/** The newest of a cluster; each takes some seconds. */
const RANGES_TRIED = 4;
const ENDED = ['Succeeded', 'Failed', 'Canceled'];

interface LogView {
  readonly state: string;
  readonly wanted: string;
  readonly reached: boolean;
  readonly alarms: readonly { readonly name: string }[];
  readonly generations: readonly { readonly truncating?: object }[];
}
interface RangeView {
  readonly from: string;
  readonly to: string;
  readonly generation: number;
}

export interface LogWorkload {
  readonly acts: Readonly<Record<LogActionKind, (action: Action) => Promise<unknown>>>;
  /** Once all is healed: has every log run again, restores points of what is shown, and turns all logs off. */
  finish(signal: AbortSignal): Promise<LogEvidence>;
}

export interface LogWorkloadOptions {
  readonly pdOf: (clusterId: string) => string;
  readonly size: SampleSize;
}

/** Turns the logs on; nothing is broken yet. */
export async function startLogWorkload(
  world: World,
  { call, look }: Client,
  { pdOf, size }: LogWorkloadOptions,
): Promise<LogWorkload> {
  const clusterOf = (id: string) => demoCluster(join(world.stack.dataDir, CLUSTERS_FOLDER), [pdOf(id)], size);
  const logged = Object.keys(LOGGED);
  const of = (id: string) => `/clusters/${id}/log-backup`;
  const start = { storageId: 'local', retentionDays: 1 };
  const tried = (send: Promise<Answered>) => send.catch(() => undefined);
  const chosen = (which: number) => pickOf(logged, which) ?? '';
  const byHand = (id: string, change: Partial<LogTask> | null) => {
    const cluster = clusterOf(id);
    const edit = () =>
      cluster.changeState(({ logTask }) => ({ logTask: change && logTask && { ...logTask, ...change } }));
    return cluster.alone(AbortSignal.timeout(LOCAL_MS), edit).catch(() => undefined);
  };

  const acts: LogWorkload['acts'] = {
    'pause-log': ({ which, again }) => tried(call(again, 'POST', `${of(chosen(which))}/pause`, {})),
    'resume-log': ({ which, again }) => tried(call(again, 'POST', `${of(chosen(which))}/resume`, {})),
    'stop-log': ({ which, again }) => tried(call(again, 'DELETE', of(chosen(which)))),
    'start-log': ({ which, again }) => tried(call(again, 'PUT', of(chosen(which)), start)),
    'pause-log-by-hand': ({ which }) => byHand(chosen(which), { state: 'PAUSE', severity: 'MANUAL' }),
    'stop-log-by-hand': ({ which }) => byHand(chosen(which), null),
    'back-up-logged': ({ which, again }) => tried(call(again, 'POST', '/backups', { clusterId: chosen(which) })),
    'truncate-log': async ({ which, again }) => {
      const [newest] = (await ranges(chosen(which))) ?? [];
      if (!newest) return;
      const until = middleOf(newest);
      const truncate = (acknowledged: object) =>
        tried(call(again, 'POST', `${of(chosen(which))}/truncate`, { until, ...acknowledged }));
      const acknowledge = (await truncate({}))?.details?.acknowledge;
      if (acknowledge) await truncate({ acknowledge });
    },
  };

  const ranges = async (id: string) =>
    (await look<{ ranges: RangeView[] }>(Math.random(), 'GET', `/clusters/${id}/recovery-points`))?.ranges;
  const logOf = async (id: string) => (await look<{ logBackup: LogView }>(Math.random(), 'GET', of(id)))?.logBackup;

  /** @throws Error once the signal aborts */
  async function untilLog(
    id: string,
    isSo: (log: LogView) => boolean,
    again: () => Promise<unknown>,
    signal: AbortSignal,
  ) {
    for (;;) {
      const log = await logOf(id);
      if (log && isSo(log)) return;
      if (signal.aborted) throw new Error(`the log of ${id} is ${JSON.stringify(log)}`);
      if (log?.wanted === 'on' && log.alarms.some(({ name }) => BY_HAND.includes(name))) await again();
      await sleep(POLL_MS);
    }
  }

  async function restorePoint(clusterId: string, range: RangeView, target: DemoCluster): Promise<PointSight> {
    const sight = { clusterId, generation: range.generation, at: middleOf(range) };
    await performTask(target, { verb: 'empty' }, AbortSignal.timeout(LOCAL_MS));
    const source = { clusterId, pointInTime: sight.at };
    const started = await call(0, 'POST', '/restores', { source, targetClusterId: LOG_TARGET });
    if (started.status !== 200) return { ...sight, end: `refused: ${started.message}`, same: false };
    const { restoreId } = started.data as { restoreId: string };
    const giveUpAt = performance.now() + READY_MS;
    for (;;) {
      const found = await look<{ restore: { state: string; reason?: { message: string } } }>(
        0,
        'GET',
        `/restores/${restoreId}`,
      );
      const { state = '', reason } = found?.restore ?? {};
      if (!ENDED.includes(state) && performance.now() < giveUpAt) {
        await sleep(POLL_MS);
        continue;
      }
      const [restored, wanted] = [
        await clusterDigests(target),
        await clusterDigests(clusterOf(clusterId), BigInt(Date.parse(sight.at)) << 18n),
      ];
      const same = JSON.stringify(sorted(restored)) === JSON.stringify(sorted(wanted));
      if (state !== 'Succeeded')
        await tried(call(0, 'POST', `/restores/${restoreId}/release`, { targetCleaned: true }));
      return { ...sight, end: reason ? `${state}: ${reason.message}` : state, same };
    }
  }

  for (const id of logged) {
    const cluster = clusterOf(id);
    await cluster.touch();
    await cluster.changeState(() => ({ writes: { ...WRITES, since: Date.now() } }));
  }
  await clusterOf(OF_OTHERS).touch();
  await clusterOf(OF_OTHERS).changeState(() => ({ logTask: THEIRS }));
  for (const id of [...logged, OF_OTHERS]) {
    const { status, message } = await call(0, 'PUT', of(id), start);
    if (status !== 200) throw new Error(`the log of ${id} could not be turned on: ${message}`);
  }

  return {
    acts,
    async finish(signal) {
      const problems: string[] = [];
      const sights: PointSight[] = [];
      const told = (error: Error) => void problems.push(error.message);
      const inTime = () => AbortSignal.any([signal, AbortSignal.timeout(EACH_MS)]);
      for (const id of logged) {
        const resume = () => tried(call(Math.random(), 'PUT', of(id), start));
        await resume();
        const runs = ({ state, reached }: LogView) => state === 'Running' && reached;
        await untilLog(id, runs, resume, inTime()).catch(told);
        // A log that began just now has its base soon.
        const based = inTime();
        let shown = await ranges(id);
        while (!shown?.length && !based.aborted) {
          await sleep(POLL_MS);
          shown = await ranges(id);
        }
        if (!shown?.length) problems.push(`no point of ${id} can be restored, though its log runs`);
        for (const range of shown?.slice(0, RANGES_TRIED) ?? [])
          await restorePoint(id, range, clusterOf(LOG_TARGET)).then((sight) => void sights.push(sight), told);
      }
      const { logTask: theirs } = await clusterOf(OF_OTHERS).readState();
      for (const id of [...logged, OF_OTHERS]) {
        const stop = () => tried(call(Math.random(), 'DELETE', of(id)));
        await stop();
        const isOff = ({ wanted, state, generations }: LogView) =>
          wanted === 'off' &&
          (state === 'Off' || state === 'Foreign') &&
          generations.every(({ truncating }) => !truncating);
        await untilLog(id, isOff, stop, inTime()).catch(told);
      }
      return { problems, sights, othersKept: JSON.stringify(theirs) === JSON.stringify(THEIRS) };
    },
  };
}

/** What a person did by hand stands until somebody wants the log on again. */
const BY_HAND = ['logPausedByHand', 'logMissing', 'logError', 'logStartRefused'];

const middleOf = ({ from, to }: RangeView) =>
  new Date(Math.floor((Date.parse(from) + Date.parse(to)) / 2)).toISOString();

const sorted = (digests: object) => Object.entries(digests).sort(([one], [other]) => (one < other ? -1 : 1));
