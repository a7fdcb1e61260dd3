/**
 * From the doorbell of a restore to its end: claim, let the consumer acknowledge, run.
 *
 * T3. The claim is a random token for this delivery. Losing is silent. When the outcome is unknown after `claimMs`, the
 *     restore is given back as well as may be, and forgotten.
 */
import { randomBytes } from 'node:crypto';
import { MAX_BR_VERSIONS } from '@tidemark/limits/limits';
import {
  type ExecutorServiceServer,
  type RestoreGrant,
  RestoreRef,
  TaskRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { RunCommand } from '@tidemark/protocol/queue/v1/commands';
import type { Env } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import type { TraceHeaders } from '@tidemark/tracing/trace';
import type { Guards } from './br/process.ts';
import type { Programs } from './br/programs.ts';
import type { RestoreCompletion } from './completion.ts';
import { claimMade, type RestoreTaskFacts, taskBegan, taskEnded } from './events.ts';
import { log } from './logger.ts';
import { startOutputRecorder } from './output-recorder.ts';
import type { Reach } from './reach.ts';
import { keepRestoreLease } from './restore/lease.ts';
import { fromGrantMessage, NOT_STARTED, toEndMessage, toRestoreRef } from './restore/messages.ts';
import type { RunFolders } from './restore/run-folders.ts';
import { lookAtCollection, lookAtTarget } from './restore/target-look.ts';
import { runRestoreTask } from './restore/task.ts';
import type { TracedRun } from './traced-run.ts';
import { claimUntilAnswered } from './until-answered.ts';
import type { Works } from './works.ts';

export interface RestoreDependencies {
  readonly client: ServiceClient<ExecutorServiceServer>;
  readonly completion: RestoreCompletion;
  readonly folders: RunFolders;
  readonly programs: Pick<Programs, 'usable'>;
  readonly guards: Guards;
  readonly env: Env;
  readonly timing: Timing;
  /** How much of `backupmeta` and of each of its metafiles is read. */
  readonly metadataBytes: number;
  readonly reach: Reach;
  /** Aborts when this worker is to stop. */
  readonly drain: AbortSignal;
  readonly worker: string;
  readonly pool: string;
  /** What this worker is at. */
  readonly works: Works;
  /** The leases of what runs now, by backup or restore. */
  readonly leases: Map<string, { renewNow(): void }>;
}

/** Claims the restore that a command rings for. */
export async function claimRestore(
  dependencies: RestoreDependencies,
  { id: restoreId }: RunCommand,
  requestId: string,
): Promise<TracedRun | undefined> {
  const { client, programs, worker, pool, timing } = dependencies;
  const claim = randomBytes(24).toString('base64url');
  const brVersions = [...new Set(programs.usable().map(({ version }) => version))].slice(0, MAX_BR_VERSIONS);
  const options = { timeoutMs: timing.callMs, requestId };
  const answer = await claimUntilAnswered(
    () => client.claimRestore({ restoreId, claim, worker, pool, brVersions, replaysLogs: true }, options),
    { forMs: timing.claimMs, facts: { restoreId, requestId } },
  );
  const grant = answer?.grant;
  claimMade(answer ? (grant ? 'restore' : 'lost') : 'unknown', restoreId, requestId);
  if (!answer)
    client
      .returnRestore({ restore: { restoreId, claim, fence: 0n }, end: NOT_STARTED }, options)
      .catch((error: unknown) => log.debug({ error, restoreId }, 'a claim of unknown outcome could not be given back'));
  if (!grant) return undefined;
  const restore = RestoreRef.create({ restoreId, claim, fence: grant.fence });
  const facts: RestoreTaskFacts = {
    requestId: grant.requestId || requestId,
    restoreId,
    clusterId: grant.target?.clusterId ?? '',
    attempt: grant.attempt,
  };
  return (trace) => run(dependencies, restore, grant, facts, trace);
}

async function run(
  dependencies: RestoreDependencies,
  restore: RestoreRef,
  grant: RestoreGrant,
  facts: RestoreTaskFacts,
  trace: TraceHeaders,
): Promise<void> {
  const { client, completion, timing, leases, works } = dependencies;
  const { restoreId, claim, fence } = restore;
  taskBegan('restore', facts);
  using _ = works.began({ kind: 'restore', id: restoreId, clusterId: facts.clusterId });
  await using lease = keepRestoreLease({ client, restore, facts, timing });
  leases.set(restoreId, lease);
  let outcome = 'ended by a bug';
  try {
    outcome = await runRestoreTask(
      { restore, grant: fromGrantMessage(grant), facts, lease, trace },
      {
        ...dependencies,
        reports: {
          complete: (end) => completion.completeRestore(restore, toEndMessage(end), facts.requestId),
          release: (end) => completion.returnRestore(restore, toEndMessage(end), facts.requestId),
          lateEnd: ({ run, end }) => completion.reportRestoreEnd(toRestoreRef(run), end && toEndMessage(end)),
        },
        lookAtTarget,
        lookAtCollection,
        startRecorder: () =>
          startOutputRecorder({
            client,
            task: TaskRef.create({ backupId: restoreId, claim, fence }),
            facts,
            callMs: timing.callMs,
          }),
      },
    );
  } finally {
    if (leases.get(restoreId) === lease) leases.delete(restoreId);
    taskEnded('restore', facts, outcome);
  }
}
