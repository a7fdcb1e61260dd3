/**
 * From a doorbell to a run: claim, let the consumer acknowledge, run.
 *
 * T3. The claim is a random token for this delivery. Losing is silent. When the outcome is unknown after `claimMs`, the
 *     token is released as well as may be, and forgotten.
 * T7. The message is acknowledged right after the claim, before anything runs.
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import type { Delivery, Run } from '@tidemark/messaging/consumer';
import { type ClaimTaskResponse, TaskRef } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { CommandKind, type RunCommand } from '@tidemark/protocol/queue/v1/commands';
import { recorded, type TraceHeaders, traced } from '@tidemark/tracing/trace';
import { type BackupTaskDependencies, runBackupTask } from './backup-task.ts';
import type { CheckCompletion, LogCompletion, RestoreCompletion, TaskCompletion } from './completion.ts';
import { claimMade, type TaskFacts, taskBegan, taskEnded } from './events.ts';
import { claimCheck } from './handle-check.ts';
import { claimRestore } from './handle-restore.ts';
import { keepLease } from './lease-keeper.ts';
import { clusterIdReader } from './log/cluster-id.ts';
import { cutReader } from './log/cuts.ts';
import { claimLog } from './log/handle-log.ts';
import { claimTruncation } from './log/handle-truncation.ts';
import { log } from './logger.ts';
import { runRemoveTask } from './remove-task.ts';
import type { RunFolders } from './restore/run-folders.ts';
import type { TracedRun } from './traced-run.ts';
import { claimUntilAnswered } from './until-answered.ts';
import type { Works } from './works.ts';

export interface CommandDependencies extends BackupTaskDependencies {
  readonly completion: TaskCompletion & CheckCompletion & LogCompletion & RestoreCompletion;
  /** Of restores that run, or ran, on this host. */
  readonly folders: RunFolders;
  readonly worker: string;
  readonly pool: string;
  /** With which manifests are signed; undefined: they are not. */
  readonly manifestKey: KeyObject | undefined;
  /** Of this run of the worker. */
  readonly instance: string;
  /** A folder for what `br` puts down. */
  readonly stateDir: string;
  /** What this worker is at. */
  readonly works: Works;
  /** The leases of what runs now, by backup or restore. */
  readonly leases: Map<string, { renewNow(): void }>;
}

/** Claims what a command rings for: the task of a backup, a restore, a check of a storage, a look at a log backup, or what is taken out of it. */
export function createClaim(dependencies: CommandDependencies) {
  return async (command: RunCommand, { requestId, trace }: Delivery): Promise<Run | undefined> => {
    const run = await traced('worker claim', { kind: 'CONSUMER', from: trace }, () => claim(command, requestId));
    const attributes = { 'tidemark.task_id': command.id, 'tidemark.worker': dependencies.worker };
    return run && (() => recorded('worker task', { kind: 'CONSUMER', from: trace, attributes }, run));
  };

  async function claim(command: RunCommand, requestId: string): Promise<TracedRun | undefined> {
    if (command.kind === CommandKind.COMMAND_KIND_CHECK) return claimCheck(dependencies, command, requestId);
    if (command.kind === CommandKind.COMMAND_KIND_RESTORE) return claimRestore(dependencies, command, requestId);
    if (command.kind === CommandKind.COMMAND_KIND_LOG)
      return claimLog(
        { ...dependencies, clusterIdIn: clusterIdReader(dependencies.env), cutsIn: cutReader(dependencies.env) },
        command,
        requestId,
      );
    if (command.kind === CommandKind.COMMAND_KIND_LOG_TRUNCATION)
      return claimTruncation(dependencies, command, requestId);
    const token = randomBytes(24).toString('base64url');
    const answer = await claimTask(dependencies, command.id, token, requestId);
    const { grant } = answer ?? {};
    claimMade(answer ? (grant?.$case ?? 'lost') : 'unknown', command.id, requestId);
    if (!grant) return undefined;
    const task = TaskRef.create({ backupId: command.id, claim: token, fence: grant.value.fence });
    const facts: TaskFacts = {
      requestId: grant.value.requestId || requestId,
      backupId: command.id,
      clusterId: grant.value.clusterId,
      ...(grant.$case === 'backup' && { attempt: grant.value.attempt }),
    };
    return (trace) => run(dependencies, task, grant, facts, trace);
  }
}

async function run(
  dependencies: CommandDependencies,
  task: TaskRef,
  grant: NonNullable<ClaimTaskResponse['grant']>,
  facts: TaskFacts,
  trace: TraceHeaders,
): Promise<void> {
  const { client, timing, leases, manifestKey } = dependencies;
  taskBegan(grant.$case, facts);
  using _ = dependencies.works.began({ kind: grant.$case, id: task.backupId, clusterId: facts.clusterId });
  await using lease = keepLease({ client, task, facts, timing });
  leases.set(task.backupId, lease);
  let outcome = 'ended by a bug';
  try {
    outcome =
      grant.$case === 'backup'
        ? await runBackupTask({ task, grant: grant.value, facts, lease, manifestKey, trace }, dependencies)
        : await runRemoveTask({ task, grant: grant.value, facts, lease }, dependencies);
  } finally {
    if (leases.get(task.backupId) === lease) leases.delete(task.backupId);
    taskEnded(grant.$case, facts, outcome);
  }
}

async function claimTask(
  { client, worker, pool, instance, reach, timing }: CommandDependencies,
  backupId: string,
  claim: string,
  requestId: string,
): Promise<ClaimTaskResponse | undefined> {
  const answer = await claimUntilAnswered(
    () =>
      client.claimTask(
        { backupId, claim, worker, pool, instance, outOfReach: reach.outOfReach() },
        { timeoutMs: timing.callMs, requestId },
      ),
    { forMs: timing.claimMs, facts: { backupId, requestId } },
  );
  if (answer) return answer;
  client
    .releaseTask({ task: { backupId, claim, fence: 0n }, strayPath: '' }, { timeoutMs: timing.callMs, requestId })
    .catch((error: unknown) => log.debug({ error, backupId }, 'a claim of unknown outcome could not be released'));
  return undefined;
}
