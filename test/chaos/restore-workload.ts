/**
 * What people restore while things break, into clusters of their own.
 *
 * 1. The tables of a backup are read from its files before it is restored: they are what its target must hold in the end.
 * 2. Of one target one thing is done after the other. Only its backups and cancels of its restores come in between.
 * 3. What a target holds is looked at once its restore has ended and before anybody changes it again.
 * 4. A target is emptied only while no `br` of its restore can be at work any more, and then that is not resumed.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DemoCluster, demoCluster } from '@tidemark/demo-br/demo-cluster';
import { CLUSTERS_FOLDER } from '@tidemark/demo-br/demo-cluster-options';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import type { SampleSize } from '@tidemark/demo-br/sample-data';
import type { Client } from './client.ts';
import type { TargetSight } from './evidence.ts';
import { type Action, pickOf, type RestoreActionKind } from './plan.ts';
import { PART, type Tables, tablesOfBackup, tablesOfCluster } from './tables.ts';
import type { World } from './world.ts';

/** Clusters that are restored from, by what their `br` is like: that of the backup, and that of restores of it. */
export const SOURCES: Readonly<Record<string, object>> = {
  steady: { seconds: 0.5, restore: { seconds: 2 } },
  slow: { seconds: 1, restore: { seconds: 7 } },
  failing: { seconds: 0.5, restore: { seconds: 2, outcome: { kind: 'fail', at: 0.6, times: 6 } } },
  breaking: { seconds: 0.5, restore: { seconds: 1, outcome: { kind: 'crash', step: 'summary', times: 6 } } },
  leaving: { seconds: 0.5, restore: { seconds: 1, outcome: { kind: 'checkpoint-stays' } } },
};
/** Its backups are deleted by retention. */
const SCHEDULED_SOURCE = 'nightly';
export const TARGETS = ['target-1', 'target-2', 'target-3', 'target-4'] as const;

const ROW_OF = { db: 'shop', table: 'orders' };
/** In the region that the sample data has of that table. */
const FIRST_HANDLE = 8_000;
const HANDLES = 1_000;
const LOCAL_MS = 10_000;
const READY_MS = 60_000;
const POLL_MS = 300;
const TRIES = 4;
/** How many of the restores bring a part of their backup back. */
const PARTS = 0.5;
/** How often one restore is resumed once all is healed, before its target is cleaned instead. */
const RESUMES = 8;

/** A restore as REST shows it, as far as it is looked at. */
interface RestoreView {
  readonly id: string;
  readonly state: string;
  readonly targetState: string;
  readonly resumable: boolean;
  readonly needsCleaning: boolean;
  readonly quietUntil?: string;
}

interface Target {
  readonly id: string;
  readonly cluster: DemoCluster;
  /** A start that was not answered yet. */
  asked?: { readonly key: string; readonly backupId: string; readonly body: object; readonly before: Tables };
  /** The restore that has it, and what it held before. */
  current?: { readonly id: string; readonly backupId: string; readonly before: Tables };
  /** It was emptied for that restore to be released. */
  emptied: boolean;
  /** The restore that left a checkpoint in it. */
  unclean?: string;
  /** Until everything that was asked before is done. */
  last: Promise<unknown>;
}

export interface RestoreWorkload {
  readonly acts: Readonly<Record<RestoreActionKind, (action: Action) => Promise<unknown>>>;
  /** What targets held. */
  readonly sights: readonly TargetSight[];
  /** What backups held that were restored, by their ids. */
  readonly backedUp: Readonly<Record<string, Tables>>;
  /**
   * Once all is healed: sees every restore to its end, resumes those of which that is said to be possible, and frees the targets of the
   * others.
   *
   * @returns what could not be done, in sentences
   */
  finish(signal: AbortSignal): Promise<string[]>;
}

export interface RestoreWorkloadOptions {
  /** The PD address that a cluster is registered with. */
  readonly pdOf: (clusterId: string) => string;
  readonly size: SampleSize;
  readonly stop: AbortSignal;
}

const ACTIVE = ['Queued', 'Running', 'Canceling'];

/** Empties the targets and takes a backup of each source; nothing is broken yet. */
export async function startRestoreWorkload(
  world: World,
  client: Client,
  { pdOf, size, stop }: RestoreWorkloadOptions,
): Promise<RestoreWorkload> {
  const { call, ask, look } = client;
  const clusterOf = (id: string) => demoCluster(join(world.stack.dataDir, CLUSTERS_FOLDER), [pdOf(id)], size);
  const targets = TARGETS.map((id): Target => {
    return { id, cluster: clusterOf(id), emptied: false, last: Promise.resolve() };
  });
  const sources = Object.keys(SOURCES);
  const sights: TargetSight[] = [];
  const backedUp: Record<string, Tables> = {};
  /** Of the backups that were restored. */
  const clusterOfBackup = new Map<string, string>();
  const problems: string[] = [];
  let keys = 0;
  const newKey = () => {
    keys += 1;
    return `restores-${keys}`;
  };

  const empty = (cluster: DemoCluster) =>
    succeeds(performTask(cluster, { verb: 'empty' }, AbortSignal.timeout(LOCAL_MS)));
  const write = (clusterId: string, handle: number) => {
    const task = { verb: 'insert', name: ROW_OF, handle, value: `${clusterId}, row ${handle}, ${newKey()}` } as const;
    return succeeds(performTask(clusterOf(clusterId), task, AbortSignal.timeout(LOCAL_MS)));
  };

  async function backUp(clusterId: string, at: number): Promise<string | undefined> {
    const key = newKey();
    const answer = await ask(
      { kind: 'start', clusterId, key },
      () => call(at, 'POST', '/backups', { clusterId }, { 'idempotency-key': key }),
      ({ backupId }: { backupId: string }) => ({ backupId }),
    );
    return answer?.backupId;
  }

  /** Sends the start that a target waits for the answer of. */
  async function askFor(target: Target, at: number): Promise<void> {
    const { asked } = target;
    if (!asked) return;
    const { key, backupId, body, before } = asked;
    const answer = await ask(
      { kind: 'restore', clusterId: target.id, backupId, key },
      () => call(at, 'POST', '/restores', body, { 'idempotency-key': key }),
      ({ restoreId }: { restoreId: string }) => ({ restoreId }),
    );
    if (!answer || answer.status >= 500 || answer.status === 429) return;
    delete target.asked;
    if (answer.restoreId === undefined) return;
    target.current = { id: answer.restoreId, backupId, before };
    target.emptied = false;
  }

  async function untilAsked(target: Target, at: number): Promise<void> {
    for (let tries = 0; target.asked && tries < TRIES && !stop.aborted; tries += 1) {
      if (tries > 0) await sleep(POLL_MS, undefined, { signal: stop }).catch(() => undefined);
      await askFor(target, (at + tries / 2) % 1);
    }
  }

  /** Plans the restore of a backup, and starts it as it was planned. */
  async function start(target: Target, { which, again }: Action): Promise<void> {
    const sourceId = pickOf([...sources, SCHEDULED_SOURCE], (which * 31) % 1) ?? '';
    const found = await look<{ snapshots: { backupId: string }[] }>(
      again,
      'GET',
      `/clusters/${sourceId}/recovery-points?pageSize=10`,
    );
    const { backupId } = pickOf(found?.snapshots ?? [], (which * 997) % 1) ?? {};
    if (backupId === undefined) return;
    const before = tablesOfCluster(target.cluster.folder);
    // Who asks for a part says that there are no such tables, and is right.
    const isPart = Object.keys(before).length === 0 && (which * 131) % 1 < PARTS;
    const wish = { backupId, targetClusterId: target.id, ...(isPart && { filter: PART }) };
    const planned = await look<{ plan: { planHash: string; source: { path: string } } }>(
      again,
      'POST',
      '/restores/plan',
      wish,
    );
    if (!planned) return;
    const { planHash, source } = planned.plan;
    const read = (path: string) => readFile(join(world.storage.folder, path));
    const tables = backedUp[backupId] ?? (await tablesOfBackup(source.path, read).catch(() => undefined));
    if (!tables) return; // its files are being removed
    backedUp[backupId] = tables;
    clusterOfBackup.set(backupId, sourceId);
    const acknowledge = isPart ? ['existingTables'] : [];
    target.asked = { key: newKey(), backupId, body: { ...wish, planHash, confirm: target.id, acknowledge }, before };
    const { asked } = target;
    await untilAsked(target, again);
    if (again > 0.8 && target.current?.before === before) {
      target.asked = asked;
      await untilAsked(target, again);
    }
  }

  const get = async (id: string) =>
    (await look<{ restore: RestoreView }>(Math.random(), 'GET', `/restores/${id}`))?.restore;

  /** Takes down what a target holds of a restore that is over. */
  function takeDown(target: Target, restore: RestoreView): void {
    const { id: restoreId, state, targetState, needsCleaning } = restore;
    const { before = {} } = target.current ?? {};
    const now = tablesOfCluster(target.cluster.folder);
    sights.push({ restoreId, clusterId: target.id, state, targetState, needsCleaning, before, now });
    delete target.current;
    if (needsCleaning) target.unclean = restoreId;
  }

  /** @returns whether it was answered that it is done */
  async function command(
    target: Target,
    kind: 'resume' | 'release' | 'cleaned',
    id: string,
    body: object = {},
  ): Promise<boolean> {
    const answer = await ask({ kind, clusterId: target.id, restoreId: id }, () =>
      call(Math.random(), 'POST', `/restores/${id}/${kind}`, body),
    );
    return answer?.status === 200;
  }

  async function cleanAndRelease(target: Target, id: string): Promise<void> {
    target.emptied ||= await empty(target.cluster);
    if (target.emptied && (await command(target, 'release', id, { targetCleaned: true }))) delete target.current;
  }

  /** Does what is to be done about the restore that has a target. */
  async function seeTo(target: Target, again: number): Promise<void> {
    await untilAsked(target, again);
    const { current } = target;
    const restore = current && (await get(current.id));
    if (!restore || ACTIVE.includes(restore.state)) return;
    if (restore.targetState !== 'Partial') return takeDown(target, restore);
    const { id, resumable, quietUntil } = restore;
    if (resumable && !target.emptied && again < 0.5) await command(target, 'resume', id);
    else if (Date.parse(quietUntil ?? '') > Date.now()) return;
    else if (target.emptied || again < 0.8) await cleanAndRelease(target, id);
    else if (await command(target, 'release', id, { targetCleaned: false })) {
      delete target.current;
      target.unclean = id;
    }
  }

  async function makeReady(target: Target, again: number): Promise<void> {
    // Now and then somebody forgets to: then nothing of it is changed.
    if (again > 0.85) return;
    if (!(await empty(target.cluster)) || target.unclean === undefined) return;
    if (await command(target, 'cleaned', target.unclean)) delete target.unclean;
  }

  async function restore(target: Target, action: Action): Promise<void> {
    await seeTo(target, action.again);
    if (target.current || target.asked || stop.aborted) return;
    await makeReady(target, action.again);
    await start(target, action);
  }

  /** After everything else that is done about the target. */
  const inTurn = (target: Target | undefined, act: (target: Target) => Promise<void>): Promise<unknown> => {
    if (!target) return Promise.resolve();
    target.last = target.last
      .then(() => (stop.aborted ? undefined : act(target)))
      .catch((error: Error) => void problems.push(`${target.id}: ${error.stack}`));
    return target.last;
  };

  const acts: RestoreWorkload['acts'] = {
    restore: (action) => inTurn(pickOf(targets, action.which), (target) => restore(target, action)),
    'see-to-restore': ({ which, again }) => inTurn(pickOf(targets, which), (target) => seeTo(target, again)),
    async 'cancel-restore'({ which, again }) {
      const { id: clusterId, current } = pickOf(targets, which) ?? {};
      if (clusterId === undefined || !current) return;
      await ask({ kind: 'cancel restore', clusterId, restoreId: current.id }, () =>
        call(again, 'POST', `/restores/${current.id}/cancel`, {}),
      );
    },
    'back-up-source': ({ which, again }) => backUp(pickOf(sources, which) ?? '', again),
    'back-up-target': ({ which, again }) => backUp(pickOf(TARGETS, which) ?? '', again),
    'write-source': ({ which, again }) =>
      write(pickOf(sources, which) ?? '', FIRST_HANDLE + Math.floor(again * HANDLES)),
    async 'delete-source'({ which, again }) {
      const read = targets.flatMap(({ current }) => (current ? [current.backupId] : []));
      const backupId = pickOf(again < 0.7 && read.length > 0 ? read : [...clusterOfBackup.keys()], which);
      if (backupId === undefined) return;
      const clusterId = clusterOfBackup.get(backupId) ?? '';
      await ask({ kind: 'delete', clusterId, backupId }, () => call(again, 'DELETE', `/backups/${backupId}`));
    },
  };

  const isResumable = (restore: RestoreView | undefined) =>
    restore !== undefined && !ACTIVE.includes(restore.state) && restore.targetState === 'Partial' && restore.resumable;

  /** Until nothing has the target any more. */
  async function free(target: Target, signal: AbortSignal): Promise<void> {
    let resumes = 0;
    while (target.asked || target.current) {
      await askFor(target, Math.random());
      const restore = target.current && (await get(target.current.id));
      if (restore && !ACTIVE.includes(restore.state)) {
        const { id, targetState, quietUntil } = restore;
        if (targetState !== 'Partial') takeDown(target, restore);
        else if (isResumable(restore) && !target.emptied && resumes < RESUMES) {
          resumes += 1;
          if (!(await command(target, 'resume', id)) && isResumable(await get(id)))
            problems.push(`${id} is said to be resumable, and is not resumed`);
        } else if (!(Date.parse(quietUntil ?? '') > Date.now())) await cleanAndRelease(target, id);
      }
      await sleep(POLL_MS, undefined, { signal });
    }
  }

  for (const { cluster } of targets) if (!(await empty(cluster))) throw new Error('a target could not be emptied');
  await Promise.all(sources.map((clusterId, number) => write(clusterId, FIRST_HANDLE + number)));
  await Promise.all(
    sources.map(async (clusterId) => {
      const id = await backUp(clusterId, 0);
      const readyBy = performance.now() + READY_MS;
      for (;;) {
        const found = await look<{ backup: { state: string } }>(0, 'GET', `/backups/${id}`);
        if (found?.backup.state === 'Succeeded') return;
        if (performance.now() > readyBy) throw new Error(`the first backup of ${clusterId} did not succeed`);
        await sleep(POLL_MS, undefined, { signal: stop });
      }
    }),
  );

  return {
    acts,
    sights,
    backedUp,
    async finish(signal) {
      await Promise.all(
        targets.map(async (target) => {
          await target.last;
          await free(target, signal).catch((error: Error) => {
            problems.push(`${target.current?.id ?? 'a start'} still has ${target.id}: ${error.message}`);
          });
        }),
      );
      return problems;
    },
  };
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
