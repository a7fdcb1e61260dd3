/** The steps of a run of a drill, with what they ask of others (`decide/run.ts`). */
import { randomUUID } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import type { ErrorCode } from '@tidemark/errors/codes';
import { MAX_OCCURRENCE_REASON, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { ListBackupsRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  type Restore,
  RestoreChecksums,
  RestoreState,
  TargetState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { StartRestoreRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import type { Backends } from '../backends.ts';
import { CALLER } from '../due-loop.ts';
import { drillDecided, drillWaits } from '../events.ts';
import { loopLog } from '../logger.ts';
import type { Drill } from './decide/drill.ts';
import {
  afterLook,
  chooseBackup,
  choosePoint,
  type DrillReasonCode,
  type DrillRun,
  type DrillWhy,
  drillWhy,
  isDecided,
  nextDrillStep,
  type RestoreLook,
  withoutRestore,
} from './decide/run.ts';
import type { DrillStore } from './drill-store.ts';
import { askToEmpty, type HookDependencies } from './empty-hook.ts';
import { requireDrillTarget } from './target.ts';

export interface RunDependencies extends HookDependencies {
  readonly store: DrillStore;
  readonly backends: Backends;
  /** From a try to the next one. */
  readonly retryMs: number;
  /** How long after its close a window is left open for a start that is on its way. */
  readonly skewMs: number;
}

/** How long a copy has a run to itself; longer than a step takes. */
const LEASE_MS = 90_000;
/** What is asked for within a lease is begun so long before its end. */
const MARGIN_MS = 10_000;
/** Of all that one step asks. */
const STEP_MS = 60_000;

type Options = CallOptions & { readonly signal: AbortSignal };

/** A run after a step: it goes on at once, or is looked at again later. */
interface Stepped {
  readonly run: DrillRun;
  readonly goesOn: boolean;
}

/** Takes the run under a lease, and brings it on as far as it goes (DR3). */
export async function attendToRun(found: DrillRun, dependencies: RunDependencies, signal: AbortSignal): Promise<void> {
  const { store, now, retryMs } = dependencies;
  const leaseUntil = new Date(now().getTime() + LEASE_MS);
  let run = await store.writeRun(found, { ...found, nextTryAt: leaseUntil });
  while (run && !isDecided(run) && now().getTime() + STEP_MS <= leaseUntil.getTime()) {
    const within = AbortSignal.any([signal, AbortSignal.timeout(STEP_MS)]);
    const options = { signal: within, requestId: randomUUID(), caller: CALLER };
    const { run: after, goesOn } = await step(run, leaseUntil, dependencies, options);
    const written: DrillRun | undefined = await store.writeRun(run, {
      ...after,
      nextTryAt: goesOn ? leaseUntil : new Date(now().getTime() + retryMs),
    });
    if (!written) return;
    if (isDecided(written)) return conclude(written, dependencies);
    if (!goesOn) return;
    run = written;
  }
}

/** The proof is written by `look`, before the run is decided; the target may be another's from now on (DR4). */
async function conclude(run: DrillRun, { store }: RunDependencies): Promise<void> {
  drillDecided(run);
  await store.giveTargetBack(run);
}

async function step(
  run: DrillRun,
  leaseUntil: Date,
  dependencies: RunDependencies,
  options: Options,
): Promise<Stepped> {
  const { store, now, skewMs } = dependencies;
  const drill = run.state === 'Pending' && !run.announced ? await store.get(run.clusterId, options.signal) : undefined;
  const next = nextDrillStep(run, drill, now(), skewMs);
  try {
    switch (next.kind) {
      case 'wait':
        return { run, goesOn: false };
      case 'conclude': {
        const { state, code, reason } = next;
        return { run: { ...run, state, code, reason, decidedAt: now() }, goesOn: false };
      }
      case 'choose':
        return await choose(run, dependencies, options);
      case 'empty':
        return drill ? await empty(run, drill, leaseUntil, dependencies, options) : { run, goesOn: true };
      case 'announce':
        return await announce(run, dependencies, options);
      case 'start':
        return await start(run, dependencies, options);
      case 'look':
        return await look(run, dependencies, options);
    }
  } catch (error) {
    const why = whyOf(error);
    // Why nothing began before the close is what people want to read.
    if (run.announced || run.state === 'Running') loopLog.warn({ error, runId: run._id }, 'a drill is tried again');
    // Another one is chosen where this one can be restored no more.
    const isGone = (why.code === 'NO_BACKUP' || why.code === 'NO_POINT') && !run.announced;
    return waits(isGone ? { ...run, backupId: null, backupTime: null, pointAt: null } : run, why);
  }
}

function waits(run: DrillRun, { code, reason }: DrillWhy): Stepped {
  const why = { code, reason: reason.slice(0, MAX_OCCURRENCE_REASON) };
  if (why.code !== run.code || why.reason !== run.reason) drillWaits(run, why);
  return { run: { ...run, ...why }, goesOn: false };
}

/** Backups of a cluster that is registered no longer stay, and nobody wants them proven. */
async function isRegistered(id: string, { registry }: Backends, options: Options): Promise<boolean> {
  try {
    await registry.getCluster({ id }, options);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'cluster_not_found') return false;
    throw error;
  }
}

async function choose(run: DrillRun, { backends, now }: RunDependencies, options: Options): Promise<Stepped> {
  const { clusterId } = run;
  if (!(await isRegistered(clusterId, backends, options)))
    return { run: { ...run, state: 'Skipped', ...drillWhy('CLUSTER_GONE'), decidedAt: now() }, goesOn: false };
  const { points, newest, ranges } = await backends.backups.listRecoveryPoints(
    { clusterId, pageSize: run.choose === 'random' ? MAX_PAGE_SIZE : 1, pageToken: '' },
    options,
  );
  if (run.choose === 'pointInTime') {
    const whole = ranges.flatMap(({ fromTime: from, toTime: to }) => (from && to ? [{ from, to }] : []));
    const pointAt = choosePoint(run, whole);
    return pointAt ? { run: { ...run, pointAt }, goesOn: true } : waits(run, drillWhy('NO_POINT'));
  }
  const all = run.choose === 'newest' && newest ? [newest] : points;
  const candidates = all.map(({ backupId, time }) => ({ backupId, time: time ?? null }));
  const chosen = chooseBackup(run, candidates);
  if (!chosen) return waits(run, drillWhy('NO_BACKUP'));
  return { run: { ...run, backupId: chosen.backupId, backupTime: chosen.time }, goesOn: true };
}

/** What is restored, as a plan and a start name it. */
function sourceOf({ clusterId, backupId, pointAt }: DrillRun): Pick<StartRestoreRequest, 'backupId' | 'point'> {
  return pointAt
    ? { backupId: '', point: { clusterId, time: pointAt, ts: 0n } }
    : { backupId: backupId ?? '', point: undefined };
}

/**
 * What stands in the way of emptying the target and restoring into it; undefined where nothing does. Once that is so, the run has the target.
 *
 * @param isToBeEmptied restores of drills that ended in the middle there are then no obstacle
 */
async function obstacleOf(
  run: DrillRun,
  isToBeEmptied: boolean,
  { store, backends }: RunDependencies,
  options: Options,
): Promise<{ readonly why: DrillWhy } | { readonly leftOver: readonly Restore[] }> {
  const { targetClusterId } = run;
  await requireDrillTarget(backends, run, options);
  const { plan } = await backends.restores.planRestore(
    { ...sourceOf(run), targetClusterId, options: undefined },
    options,
  );
  const blocked = plan?.checks.filter(({ result }) => result === 'blocked') ?? [];
  const leftOver = isToBeEmptied ? await leftByDrills(run, store, backends, options) : [];
  const open = blocked.filter(({ name }) => !(name === 'targetFree' && leftOver.length > 0));
  if (open.length > 0) {
    const code = open.every(({ name }) => name === 'targetFree') ? 'TARGET_BUSY' : 'PLAN_BLOCKED';
    return { why: drillWhy(code, open.map(({ message }) => message).join(' ')) };
  }
  const { storageId = '', point } = plan?.source ?? {};
  const read = point ? [storageId, point.storageId] : [storageId];
  if (await doBackupsWait(read, backends, options)) return { why: drillWhy('BACKUPS_WAIT') };
  if (!(await store.takeTarget(run, options.signal)))
    return { why: drillWhy('TARGET_BUSY', 'the drill of another cluster has it') };
  return { leftOver };
}

/** DR6. */
async function doBackupsWait(storageIds: readonly string[], { backups }: Backends, options: Options): Promise<boolean> {
  const states = [BackupState.BACKUP_STATE_QUEUED];
  const wish = { states, page: 1, pageSize: WAITING_LOOKED_AT, withoutTotal: true };
  const { backups: waiting } = await backups.listBackups(ListBackupsRequest.create(wish), options);
  return waiting.some((backup) => storageIds.includes(backup.storageId));
}

/** How many backups that wait are looked at, the newest first. */
const WAITING_LOOKED_AT = 100;

/** Restores of drills that left a part of their data in the target, or a checkpoint, and that nothing else goes on with. */
async function leftByDrills(
  { targetClusterId }: DrillRun,
  store: DrillStore,
  { restores }: Backends,
  options: Options,
): Promise<Restore[]> {
  const { restores: found } = await restores.listRestores(
    {
      ...{ clusterIds: [targetClusterId], sourceClusterId: '', backupId: '', states: [] },
      ...{ pageSize: RESTORES_LOOKED_AT, pageToken: '', withinSight: false },
    },
    options,
  );
  const isOver = ({ state }: Restore) => OVER.has(state);
  if (found.some((restore) => !isOver(restore))) return [];
  const left = found.filter(
    ({ targetState, needsCleaning }) => targetState === TargetState.TARGET_STATE_PARTIAL || needsCleaning,
  );
  const own = await Promise.all(left.map(({ id }) => store.isOfDrill(id, options.signal)));
  return own.every((isOwn) => isOwn) ? left : [];
}

/** How many of the newest restores into a target are looked at. */
const RESTORES_LOOKED_AT = 20;
const OVER: ReadonlySet<RestoreState> = new Set([
  RestoreState.RESTORE_STATE_SUCCEEDED,
  RestoreState.RESTORE_STATE_FAILED,
  RestoreState.RESTORE_STATE_CANCELED,
]);

async function empty(
  run: DrillRun,
  { emptyHook }: Drill,
  leaseUntil: Date,
  dependencies: RunDependencies,
  options: Options,
): Promise<Stepped> {
  if (!emptyHook) return { run, goesOn: true };
  const found = await obstacleOf(run, true, dependencies, options);
  if ('why' in found) return waits(run, found.why);
  const notAfter = new Date(leaseUntil.getTime() - MARGIN_MS);
  const answer = await askToEmpty(emptyHook, run, notAfter, dependencies, options.signal);
  if (answer.kind === 'failed') return waits(run, drillWhy('HOOK_FAILED', answer.trouble));
  if (answer.kind === 'at work') return waits(run, drillWhy('HOOK_AT_WORK'));
  const { restores } = dependencies.backends;
  const note = 'The hook of a drill emptied the target.';
  for (const { id, targetState } of found.leftOver)
    if (targetState === TargetState.TARGET_STATE_PARTIAL)
      await restores.releaseRestore({ id, targetCleaned: true, note, hostDead: false }, options);
    else await restores.confirmCleaned({ id }, options);
  return { run: { ...run, emptiedAt: dependencies.now() }, goesOn: true };
}

async function announce(run: DrillRun, dependencies: RunDependencies, options: Options): Promise<Stepped> {
  const found = await obstacleOf(run, false, dependencies, options);
  if ('why' in found) return waits(run, found.why);
  return { run: { ...run, announced: true }, goesOn: true };
}

/** DR5: the same request under the same key, until there is the restore, or can be none. */
async function start(run: DrillRun, { backends, now }: RunDependencies, options: Options): Promise<Stepped> {
  try {
    const { restore } = await backends.restores.startRestore(
      StartRestoreRequest.create({
        ...{ ...sourceOf(run), targetClusterId: run.targetClusterId, key: `drill:${run._id}` },
        // Whatever became of the registration: what is no scratch cluster any more is not restored into.
        ...{ scratchOnly: true, notAfter: run.closesAt },
      }),
      options,
    );
    const { id = '', startTime, source } = restore ?? {};
    const backupId = source?.backupId || run.backupId;
    const accepted = { restoreId: id, backupId, startTime: startTime ?? null, code: '', reason: '' } as const;
    return { run: { ...run, ...accepted, state: 'Running' }, goesOn: false };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'start_expired') throw error;
    return { run: { ...run, ...withoutRestore(run), decidedAt: now() }, goesOn: false };
  }
}

async function look(run: DrillRun, { backends, store, now }: RunDependencies, options: Options): Promise<Stepped> {
  const after = afterLook(run, await lookAt(run.restoreId ?? '', backends, options), now());
  if (after.state === 'Succeeded') {
    const { clusterId, backupId, restoreId, pointAt = null, seconds, endTime } = after;
    const ids = { backupId: backupId ?? '', restoreId: restoreId ?? '' };
    await store.prove({ _id: clusterId, time: endTime ?? now(), seconds, ...ids, pointAt, writtenAt: now() });
  }
  return { run: after, goesOn: false };
}

async function lookAt(id: string, { restores }: Backends, options: Options): Promise<RestoreLook> {
  const none = { isProven: false, reason: '', startTime: undefined, endTime: undefined };
  try {
    const { restore } = await restores.getRestore({ id }, options);
    if (!restore) return { state: 'Gone', ...none };
    const { state, targetState, checksums, reason, startTime, endTime } = restore;
    const isProven =
      targetState === TargetState.TARGET_STATE_RESTORED && checksums === RestoreChecksums.RESTORE_CHECKSUMS_PROVEN;
    return { state: STATES[state] ?? 'Open', isProven, reason: reason?.message ?? '', startTime, endTime };
  } catch (error) {
    if (error instanceof AppError && error.code === 'restore_not_found') return { state: 'Gone', ...none };
    throw error;
  }
}

const STATES: { readonly [State in RestoreState]?: RestoreLook['state'] } = {
  [RestoreState.RESTORE_STATE_SUCCEEDED]: 'Succeeded',
  [RestoreState.RESTORE_STATE_FAILED]: 'Failed',
  [RestoreState.RESTORE_STATE_CANCELED]: 'Canceled',
};

const REFUSALS: { readonly [code in ErrorCode]?: DrillReasonCode } = {
  cluster_busy: 'TARGET_BUSY',
  target_needs_cleaning: 'TARGET_BUSY',
  restore_quiet: 'TARGET_BUSY',
  cluster_not_found: 'TARGET_REFUSED',
  drill_target_refused: 'TARGET_REFUSED',
  permission_denied: 'TARGET_REFUSED',
  plan_blocked: 'PLAN_BLOCKED',
  backup_not_found: 'NO_BACKUP',
  backup_not_good: 'NO_BACKUP',
  point_not_restorable: 'NO_POINT',
  overloaded: 'BACKEND_AWAY',
  unavailable: 'BACKEND_AWAY',
  deadline_exceeded: 'BACKEND_AWAY',
  canceled: 'BACKEND_AWAY',
  conflict: 'BACKEND_AWAY',
};

/** @throws what is no answer of a service, or a bug of one */
function whyOf(error: unknown): DrillWhy {
  if (!(error instanceof AppError) || error.code === 'internal') throw error;
  const code = REFUSALS[error.code] ?? 'START_REFUSED';
  return code === 'BACKEND_AWAY' ? drillWhy(code) : { code, reason: error.message };
}
