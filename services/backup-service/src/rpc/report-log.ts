import { MAX_LOG_CUTS, MAX_LOG_ERRORS, MAX_WORKER_SENTENCE } from '@tidemark/limits/limits';
import {
  type LogRange as LogRangeMessage,
  type LogTaskSeen as LogTaskSeenMessage,
  LogTaskState,
  type ReportLogRequest,
  type ReportLogResponse,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Reason } from '../backup.ts';
import { fromReasonMessage } from '../backup-message.ts';
import type { LogPlace, LogRange, LogSeen, LogTaskSeen } from '../log/decide/command.ts';
import { ensureBase } from '../log/ensure-base.ts';
import { type LogBackup, lastGeneration, PAUSE_TTL_SECONDS } from '../log/log-backup.ts';
import { toActMessage } from '../log/log-message.ts';
import { newPlace } from '../log/log-place.ts';
import { toSnapshotMessage } from '../registry-message.ts';
import { mayUseStorage } from '../storage-access.ts';
import { locationOf } from '../storage-location.ts';
import type { Dependencies } from './context.ts';
import { logStandingOf, requireLog } from './log-ref.ts';
import { startBackup } from './start-backup.ts';

/** Takes what a look saw, and answers what is to be done, which is on record then. */
export function reportLog(dependencies: Dependencies) {
  const { logs, registry, places, dispatcher, finished, now } = dependencies;
  const start = startBackup(dependencies);
  /** Where a start would write; it needs a storage that the cluster may use now. */
  async function placeFor({ _id, settings, ...log }: LogBackup, signal: AbortSignal): Promise<LogPlace | Reason> {
    const [cluster, storage] = await Promise.all([
      registry.clusters.get(_id, signal),
      settings ? registry.storages.get(settings.storageId, signal) : undefined,
    ]);
    if (!cluster || !storage || !mayUseStorage(storage, cluster))
      return {
        code: 'STORAGE_UNUSABLE',
        message: `There is no storage ${settings?.storageId ?? ''} that cluster ${_id} may use.`,
      };
    if (storage.gone) return { code: 'STORAGE_UNUSABLE', message: `Storage ${storage._id} was declared gone.` };
    const snapshot = { id: storage._id, maxConcurrent: storage.maxConcurrent, ...locationOf(storage) };
    return newPlace(cluster, (lastGeneration(log)?.n ?? 0) + 1, snapshot, storage.root);
  }

  return async (request: ReportLogRequest, context: CallContext): Promise<ReportLogResponse> => {
    const { signal } = context;
    const { clusterId, claim, fence } = requireLog(request.log);
    const { range } = request;
    const known = await logs.get(clusterId, signal);
    const place = known?.wanted === 'on' ? await placeFor(known, signal) : undefined;
    const applied = await logs.apply(
      clusterId,
      {
        ...{ kind: 'report', claim, fence, seen: toSeen(request) },
        ...(range && { range: toRange(range) }),
        ...(place && ('taskName' in place ? { place } : { placeless: place })),
      },
      signal,
    );
    const answer = applied?.decision.answer;
    if (!applied || answer?.kind !== 'held') return { standing: TaskStanding.TASK_STANDING_LOST, act: undefined };
    const { act } = answer;
    if (!act) {
      await ensureBase({ logs, finished, start, now }, applied.log, context);
      // A wish that was made meanwhile.
      if (applied.log.looked !== applied.log.wish) await dispatcher.ringLog(clusterId);
      return { standing: logStandingOf(applied), act: undefined };
    }
    const generation = applied.log.generations.find(({ taskName }) => taskName === act.taskName);
    const granted =
      generation &&
      (await places.granted(
        { storage: generation.storage, basePath: generation.path, createTime: generation.createTime },
        signal,
      ));
    return {
      standing: TaskStanding.TASK_STANDING_HELD,
      act: {
        kind: toActMessage(act.kind),
        taskName: act.taskName,
        storage: granted && toSnapshotMessage(granted),
        path: generation?.path ?? '',
        gcTtlSeconds: PAUSE_TTL_SECONDS,
      },
    };
  };
}

function toSeen({ unreachable, tasks }: ReportLogRequest): LogSeen {
  if (unreachable) return { kind: 'unreachable', reason: fromReasonMessage(unreachable) };
  return { kind: 'tasks', tasks: tasks.map(toTask) };
}

function toRange({ minTs, maxTs, tidbClusterId, cuts: told }: LogRangeMessage): LogRange {
  const id = tidbClusterId > 0n && { upstreamClusterId: String(tidbClusterId) };
  const cuts = told?.cuts
    .slice(0, MAX_LOG_CUTS)
    .map(({ fromTs, toTs }) => ({ from: String(fromTs), to: String(toTs) }));
  return { min: String(minTs), max: String(maxTs), ...id, ...(cuts && { cuts }) };
}

const STATES: ReadonlyMap<LogTaskState, LogTaskSeen['state']> = new Map([
  [LogTaskState.LOG_TASK_STATE_PAUSED, 'paused'],
  [LogTaskState.LOG_TASK_STATE_ERROR, 'error'],
]);

function toTask({
  name,
  storage,
  samePlace,
  startTs,
  state,
  checkpointTs,
  errors,
  pausedByHand,
}: LogTaskSeenMessage): LogTaskSeen {
  return {
    ...{ name, storage, samePlace, pausedByHand },
    startTs: String(startTs),
    checkpoint: String(checkpointTs),
    state: STATES.get(state) ?? 'normal',
    errors: errors
      .slice(0, MAX_LOG_ERRORS)
      .map((error) => ({ ...error, message: error.message.slice(0, MAX_WORKER_SENTENCE) })),
  };
}
