/**
 * From the offer of a verification to its end: claim, verify, report what was found.
 *
 * G1. One at a time, beside the slots of the worker: a verification of hours keeps no backup from its window.
 * G2. What was found of the files so far is reported with each renewal, so that whoever has it next goes on from there.
 * G3. A worker that stops gives it back at once, however long it goes on with other tasks: nothing of it is lost by that.
 */
import { randomBytes } from 'node:crypto';
import { type Decrypt, openCrypter } from '@tidemark/backupmeta/crypter';
import type { Run } from '@tidemark/messaging/consumer';
import {
  type CompleteVerificationRequest,
  type ExecutorServiceServer,
  type VerificationGrant,
  VerificationRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import { sentenceOf } from './check-steps.ts';
import type { CompletionAnswer, VerificationCompletion } from './completion.ts';
import { claimMade, type TaskFacts, taskBegan, taskEnded } from './events.ts';
import { log } from './logger.ts';
import { type Reach, troubleOf } from './reach.ts';
import { rootOf } from './storage/marker.ts';
import { claimUntilAnswered } from './until-answered.ts';
import { keepVerificationLease, type VerificationLease } from './verification-lease.ts';
import { createVerifyTask, type VerifyTask, type VerifyTaskOptions } from './verify-task.ts';
import type { Works } from './works.ts';

export interface VerificationDependencies extends VerifyTaskOptions {
  readonly client: ServiceClient<ExecutorServiceServer>;
  readonly completion: VerificationCompletion;
  readonly timing: Timing;
  readonly reach: Pick<Reach, 'failed' | 'worked'>;
  /** Below which keys lie; undefined where none is set. */
  readonly secretsDir: string | undefined;
  /** Aborts when this worker is to stop. */
  readonly leaving: AbortSignal;
  readonly worker: string;
  readonly pool: string;
  /** What this worker is at. */
  readonly works: Works;
  /** Goes on with a run until it ends, also where this worker stops meanwhile. */
  readonly start: (run: Run) => Promise<void>;
  /** Called when it is done with one, and would begin with another. */
  readonly onFree: () => void;
}

export interface Verifier {
  /** Whether it would begin with a verification now. */
  readonly isFree: boolean;
  /** These wait for a worker; it takes the first that it gets. */
  offered(backupIds: readonly string[]): Promise<void>;
  /** Somebody says that the verification of this backup changed. */
  changed(backupId: string): void;
}

type Outcome = NonNullable<CompleteVerificationRequest['outcome']>;

/** Verifies backups on behalf of this worker. */
export function createVerifier(dependencies: VerificationDependencies): Verifier {
  const { leaving, start, onFree } = dependencies;
  let isFree = true;
  let current: { readonly backupId: string; readonly lease: VerificationLease } | undefined;
  const begun = (backupId: string, lease: VerificationLease): Disposable => {
    current = { backupId, lease };
    return {
      [Symbol.dispose]() {
        current = undefined;
      },
    };
  };

  return {
    get isFree() {
      return isFree && !leaving.aborted;
    },
    async offered(backupIds) {
      if (!isFree) return;
      isFree = false;
      let isDone = false;
      try {
        for (const backupId of backupIds) {
          if (leaving.aborted) return;
          const run = await claim(dependencies, backupId, begun);
          if (!run) continue;
          await start(run);
          isDone = true;
          return;
        }
      } catch (error) {
        log.error({ error, backupIds }, 'a verification was ended by a bug');
      } finally {
        isFree = true;
        if (isDone && !leaving.aborted) onFree();
      }
    },
    changed(backupId) {
      if (current?.backupId === backupId) current.lease.renewNow();
    },
  };
}

type Begun = (backupId: string, lease: VerificationLease) => Disposable;

async function claim(dependencies: VerificationDependencies, backupId: string, begun: Begun): Promise<Run | undefined> {
  const { client, worker, pool, timing } = dependencies;
  const token = randomBytes(24).toString('base64url');
  const answer = await claimUntilAnswered(
    () => client.claimVerification({ backupId, claim: token, worker, pool }, { timeoutMs: timing.callMs }),
    { forMs: timing.claimMs, facts: { backupId } },
  );
  const grant = answer?.grant;
  claimMade(answer ? (grant ? 'verify' : 'lost') : 'unknown', backupId, grant?.requestId ?? '');
  if (!grant) return undefined;
  const verification = VerificationRef.create({ backupId, claim: token, fence: grant.fence });
  return () => run(dependencies, verification, grant, begun);
}

async function run(
  dependencies: VerificationDependencies,
  verification: VerificationRef,
  grant: VerificationGrant,
  begun: Begun,
): Promise<void> {
  const { client, timing } = dependencies;
  const { backupId } = verification;
  const { requestId, clusterId } = grant;
  const facts: TaskFacts = { requestId, backupId, clusterId };
  taskBegan('verify', facts);
  using _work = dependencies.works.began({ kind: 'verify', id: backupId, clusterId });
  const task = createVerifyTask(grant, dependencies);
  let outcome = 'ended by a bug';
  try {
    await using lease = keepVerificationLease({ client, verification, reached: task.reached, facts, timing });
    using _lease = begun(backupId, lease);
    outcome = await verify(dependencies, { verification, grant, facts, task, lease });
  } finally {
    taskEnded('verify', facts, outcome);
  }
}

interface Verifying {
  readonly verification: VerificationRef;
  readonly grant: VerificationGrant;
  readonly facts: TaskFacts;
  readonly task: VerifyTask;
  readonly lease: VerificationLease;
}

/** Verifies and reports; answers how it ended, for the log. */
async function verify(dependencies: VerificationDependencies, verifying: Verifying): Promise<string> {
  const { completion, leaving } = dependencies;
  const { verification, lease, grant } = verifying;
  const { lost, canceling } = lease;
  const found = await attempt(dependencies, verifying, AbortSignal.any([lost, canceling, leaving]));
  if (lost.aborted) return 'lost';
  if (found.$case === 'notVerified' && canceling.aborted)
    return completed(await completion.completeVerification(verification, STOPPED, grant.requestId), STOPPED);
  if (found.$case === 'notVerified' && leaving.aborted)
    return `released: ${await completion.releaseVerification(verification, found.value.standing, grant.requestId)}`;
  return completed(await completion.completeVerification(verification, found, grant.requestId), found);
}

const STOPPED: Outcome = { $case: 'stopped', value: {} };
const completed = (answer: CompletionAnswer, { $case }: Outcome): string => (answer === 'held' ? $case : answer);

/** What came of it, or that nothing could: so, too, where it was stopped. */
async function attempt(
  { reach, secretsDir }: Pick<VerificationDependencies, 'reach' | 'secretsDir'>,
  { grant, facts, task }: Verifying,
  signal: AbortSignal,
): Promise<Outcome> {
  const { storage, storageDigest, marker, path } = grant;
  const notVerified = async (error: unknown): Promise<Outcome> => {
    if (!signal.aborted) log.warn({ ...facts, error }, 'a backup could not be verified; it is tried again');
    const reason = { code: 'NOT_VERIFIED', message: sentenceOf(error).toWellFormed(), detail: '' };
    return { $case: 'notVerified', value: { reason, standing: (await task.reached()).standing } };
  };
  let decrypt: Decrypt;
  try {
    decrypt = await openCrypter(grant.crypter, secretsDir, signal);
  } catch (error) {
    return notVerified(error);
  }
  try {
    const value = await task.run(decrypt, signal);
    reach.worked(storageDigest);
    return { $case: 'verified', value };
  } catch (error) {
    const trouble = troubleOf(error);
    if (trouble && !signal.aborted) reach.failed({ storage, marker, root: rootOf(path) }, storageDigest, trouble);
    return notVerified(error);
  }
}
