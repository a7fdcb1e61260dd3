import { pointOptionsViolations, restoreOptionsViolations } from '@tidemark/br-options/restore-options';
import { AppError } from '@tidemark/errors/app-error';
import type {
  RestoreOptions as OptionsMessage,
  RestorePlan as PlanMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type {
  PlanRestoreRequest,
  PlanRestoreResponse,
  PointInTime,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { type Backup, isTrashed } from '../backup.ts';
import { strictestOf } from '../cluster-purpose.ts';
import { isInTheWay, whyLogInTheWay } from '../log/in-the-way.ts';
import { instantOf, type LogBackup } from '../log/log-backup.ts';
import { otherPdOf } from '../real-cluster.ts';
import type { Namesake } from '../registered-pds.ts';
import type { ClusterDocument } from '../registry-store.ts';
import { type Estimate, estimateOf, withLog } from '../restore/estimate.ts';
import { garbageCollection, type Plan, type PlanCheck, planRestore as plan } from '../restore/plan.ts';
import { type PlannedCommand, plannedCommand } from '../restore/planned-command.ts';
import { fromOptionsMessage, toSourceMessage, toTargetMessage } from '../restore/restore-message.ts';
import { workerCheck } from '../restore/worker-check.ts';
import { mayUseStorage } from '../storage-access.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { findPoint } from './find-point.ts';
import { unknownBackup, unknownCluster, unusableStorage } from './refusals.ts';
import { whyTaken } from './taken-target.ts';

/** What is to be restored, and where to. */
export interface Wanted {
  /** Empty where a point is wanted. */
  readonly backupId: string;
  readonly point: PointInTime | undefined;
  readonly targetClusterId: string;
  readonly options: OptionsMessage | undefined;
}

/** Says what a restore would do, and what stands in its way. */
export function planRestore(dependencies: Dependencies) {
  return async (request: PlanRestoreRequest, context: CallContext): Promise<PlanRestoreResponse> => {
    const found = await findPlan(dependencies, request, context);
    const { plan, backup } = found;
    const { target, options, source } = plan;
    const [{ taken, checks: around, command }, earlier, logs] = await Promise.all([
      circumstances(dependencies, found, context),
      dependencies.restores.findTimed(target, options.rateLimit, context.signal),
      source.point ? dependencies.restores.findTimedLogs(context.signal) : [],
    ]);
    const ofBackup = estimateOf(source.sizeBytes, earlier, options.filter !== undefined);
    const estimate = source.point ? withLog(ofBackup, secondsBetween(source.tso, source.point.tso), logs) : ofBackup;
    const checks = [...plan.checks, targetFree(taken), ...around];
    return { plan: toPlanMessage({ ...plan, checks }, backup, estimate, command) };
  };
}

function secondsBetween(from: string, to: string): number {
  return (instantOf(to).getTime() - instantOf(from).getTime()) / 1_000;
}

/** A plan, and the backup that it is of. */
interface FoundPlan {
  readonly plan: Plan;
  readonly backup: Backup;
}

/** What is around a plan just now. */
interface Circumstances {
  /** Why the target is not free. */
  readonly taken: AppError | undefined;
  /** Of the log backup and of the garbage collection of the target, and whether a worker is there that could do it. */
  readonly checks: readonly PlanCheck[];
  /** What that would run. */
  readonly command: PlannedCommand | undefined;
}

/**
 * Who has the target of a plan, and which workers could do it, with the storage of the backup where it is today.
 *
 * @param ownId of a restore that may be there already, from a try whose answer was lost
 */
export async function circumstances(
  dependencies: Dependencies,
  { plan, backup }: FoundPlan,
  context: Pick<CallContext, 'sees' | 'signal'>,
  ownId?: string,
): Promise<Circumstances> {
  const { presences, places, logs, restores, now } = dependencies;
  const { clusterId } = plan.target;
  const [taken, present, storage, log, collection] = await Promise.all([
    whyTaken(dependencies, plan.target, context, ownId),
    presences.present(plan.target.pool, context.signal),
    places.granted(backup, context.signal),
    logs.get(clusterId, context.signal),
    plan.source.point && restores.findCollection(clusterId, context.signal),
  ]);
  const today = { ...plan, source: { ...plan.source, storage } };
  const checks = [
    logBackupOnTarget(log, now()),
    ...(plan.source.point ? [garbageCollection(collection)] : []),
    workerCheck(today, present),
  ];
  return { taken, checks, command: plannedCommand(today, present) };
}

/**
 * The plan of a restore by what is on record now.
 *
 * @throws AppError `invalid_argument` for options, `backup_not_found`, `backup_not_good`, `cluster_not_found`, and
 *   `storage_not_found` where the target may not use the storage of the backup
 */
export async function findPlan(
  dependencies: Dependencies,
  { backupId: givenId, point: wantedPoint, targetClusterId, options }: Wanted,
  { sees, signal }: Pick<CallContext, 'sees' | 'signal'>,
): Promise<FoundPlan> {
  const { store, registry, pds, finished, now } = dependencies;
  const wanted = fromOptionsMessage(options);
  const check = validation();
  check.add(restoreOptionsViolations({ ...wanted, loadStats: !wanted.withoutStats }));
  check.require(
    (givenId === '') !== (wantedPoint === undefined),
    'backupId',
    'must be the id of a backup, or be left out where a point in time is restored',
  );
  if (wantedPoint) check.add(pointOptionsViolations(wanted));
  check.finish();
  const found = wantedPoint && (await findPoint(dependencies, wantedPoint, { sees, signal }));
  const { backupId, point } = found ?? { backupId: givenId };
  const [backup, cluster] = await Promise.all([
    store.get(backupId, signal),
    registry.clusters.get(targetClusterId, signal),
  ]);
  if (!backup || !sees(backup.clusterId)) throw unknownBackup(backupId);
  if (!cluster) throw unknownCluster(targetClusterId);
  if (backup.state !== 'Succeeded' || backup.deletion.state !== 'None') throw notGood(backup);
  // br hands the keys of the storages to every TiKV of the target.
  for (const snapshot of [backup.storage, ...(point ? [point.storage] : [])]) {
    const storage = await registry.storages.get(snapshot.id, signal);
    if (!mayUseStorage({ ...snapshot, ...storage }, cluster)) throw unusableStorage(snapshot.id, targetClusterId);
  }
  const [tidbClusterId, namesakes] = await Promise.all([
    finished.tidbClusterIdOf(cluster, signal),
    pds.namesakes(cluster, signal),
  ]);
  const otherPd = otherPdOf(cluster.pd, namesakes);
  const made = plan(backup, guarded(cluster, namesakes), wanted, now(), { tidbClusterId, otherPd, point });
  return { plan: made, backup };
}

/** A cluster as the strictest of its registrations guards it: nobody gets round one of them by another name. */
function guarded(cluster: ClusterDocument, namesakes: readonly Namesake[]): ClusterDocument {
  const all = [cluster, ...namesakes];
  return {
    ...cluster,
    purpose: strictestOf(all.map(({ purpose }) => purpose)),
    ...(all.some(({ restore }) => restore?.strictLoss) && { restore: { strictLoss: true } }),
  };
}

function notGood(backup: Backup): AppError {
  const { _id, clusterId, state, deletion } = backup;
  const how = state === 'Succeeded' ? `its deletion is ${deletion.state}` : `it is ${state}`;
  const why = isTrashed(backup)
    ? 'it was deleted and lies in the bin: undelete it first.'
    : `${how}: only a good backup that nobody deletes can.`;
  const info = { backupId: _id, clusterId, state };
  return new AppError('backup_not_good', `Backup ${_id} cannot be restored, ${why}`, { info });
}

function targetFree(taken: AppError | undefined): PlanCheck {
  if (!taken) return { name: 'targetFree', result: 'ok', message: 'No backup or restore has the target.' };
  return { name: 'targetFree', result: 'blocked', message: taken.message };
}

/** One that is wanted has to be turned off by a person; one that is being turned off is waited for. */
function logBackupOnTarget(log: LogBackup | undefined, now: Date): PlanCheck {
  const name = 'logBackupOnTarget';
  if (!log || !isInTheWay(log, now)) return { name, result: 'ok', message: 'No log backup of the target is on.' };
  return { name, result: log.wanted === 'off' ? 'warn' : 'blocked', message: whyLogInTheWay(log) };
}

export function toPlanMessage(
  plan: Plan,
  backup: Backup,
  estimate: Estimate,
  command: PlannedCommand | undefined,
): PlanMessage {
  const { hash, source, target, options, checks } = plan;
  return {
    hash,
    filter: [...(options.filter ?? [])],
    source: toSourceMessage(source),
    target: toTargetMessage(target),
    checks: checks.map((check) => ({ ...check })),
    estimatedSeconds: estimate.seconds,
    estimateBasis: estimate.basis,
    brVersion: command?.brVersion ?? '',
    argv: [...(command?.argv ?? [])],
    sourceTime: backup.startTime,
  };
}
