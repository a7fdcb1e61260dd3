/**
 * From the doorbell of a check to its end: claim, let the consumer acknowledge, run, report what was found.
 *
 * A check that was lost is only forgotten: the reaper has it run again, and nothing that it does is harmed by being done
 * twice. A worker that stops gives it back.
 */
import { randomBytes } from 'node:crypto';
import type { Run } from '@tidemark/messaging/consumer';
import {
  type CheckGrant,
  CheckRef,
  type ExecutorServiceServer,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { CheckKind } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { RunCommand } from '@tidemark/protocol/queue/v1/commands';
import type { Env } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import { keepCheckLease } from './check-lease.ts';
import { createCheckSteps } from './check-steps.ts';
import { runCheckTask } from './check-task.ts';
import type { CheckCompletion } from './completion.ts';
import { type CheckFacts, checkBegan, checkEnded, checkStepFailed, claimMade } from './events.ts';
import { log } from './logger.ts';
import type { ReportMove } from './move-proof.ts';
import { runRebuildTask } from './rebuild-task.ts';
import { claimUntilAnswered, untilAnswered } from './until-answered.ts';
import type { Works } from './works.ts';

export interface CheckDependencies {
  readonly client: ServiceClient<ExecutorServiceServer>;
  readonly completion: CheckCompletion;
  readonly env: Env;
  readonly timing: Timing;
  /** Aborts when this worker is to stop. */
  readonly drain: AbortSignal;
  readonly worker: string;
  readonly pool: string;
  /** Of this run of the worker. */
  readonly instance: string;
  /** What this worker is at. */
  readonly works: Works;
}

/** Claims the check that a command rings for. */
export async function claimCheck(
  dependencies: CheckDependencies,
  { id: checkId }: RunCommand,
  requestId: string,
): Promise<Run | undefined> {
  const { client, worker, pool, instance, timing } = dependencies;
  const claim = randomBytes(24).toString('base64url');
  const answer = await claimUntilAnswered(
    () => client.claimCheck({ checkId, claim, worker, pool, instance }, { timeoutMs: timing.callMs, requestId }),
    { forMs: timing.claimMs, facts: { checkId, requestId } },
  );
  const grant = answer?.grant;
  claimMade(answer ? (grant ? 'check' : 'lost') : 'unknown', checkId, requestId);
  if (!grant) return undefined;
  return () => run(dependencies, CheckRef.create({ checkId, claim, fence: grant.fence }), grant);
}

async function run(dependencies: CheckDependencies, check: CheckRef, grant: CheckGrant): Promise<void> {
  const { client, completion, env, timing, drain } = dependencies;
  const { storage, requestId } = grant;
  if (!storage) throw new Error('the grant names no storage');
  const probe = grant.kind === CheckKind.CHECK_KIND_PROBE;
  const { checkId } = check;
  const facts: CheckFacts = { requestId, checkId, storageId: storage.id, check: probe ? 'probe' : 'rebuild' };
  checkBegan(facts);
  using _ = dependencies.works.began({ kind: facts.check, id: checkId, clusterId: '' });
  const steps = createCheckSteps((step, error) => checkStepFailed(facts, step, error));
  let outcome = 'ended by a bug';
  try {
    await using lease = keepCheckLease({ client, check, steps, facts, timing });
    const { lost } = lease;
    const work = { checkId, storage, marker: grant.marker, env, steps, lost, drain };
    const signal = AbortSignal.any([lost, drain]);
    const answered = <Answer>(call: () => Promise<Answer>) =>
      untilAnswered(call, { forMs: timing.claimMs, signal, facts: { checkId, requestId } });
    const options = { timeoutMs: timing.callMs, requestId, signal };
    const reportMarker = (number: string) =>
      answered(() => client.settleMarker({ holder: { $case: 'check', value: check }, number }, options));
    const reportMove: ReportMove = (found) => answered(() => client.settleMove({ check, ...found }, options));
    try {
      if (probe) await runCheckTask({ ...work, reportMarker, move: grant.move, reportMove });
      else await runRebuildTask({ ...work, client, check, requestId, callMs: timing.callMs });
    } catch (error) {
      if (!lost.aborted && !drain.aborted) throw error;
      log.debug({ ...facts, error }, 'a check was broken off');
    }
    if (lost.aborted) outcome = 'lost';
    else if (drain.aborted) {
      const answer = await completion.releaseCheck(check, requestId);
      outcome = answer === 'held' ? 'left to another worker' : answer;
    } else {
      const { ok, total: totalSteps } = steps;
      const answer = await completion.completeCheck({ check, ok, steps: [...steps.kept], totalSteps }, requestId);
      outcome = answer === 'held' ? (ok ? 'fine' : 'not fine') : answer;
    }
  } finally {
    checkEnded(facts, outcome);
  }
}
