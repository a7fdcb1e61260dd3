import { counter, gauge } from '@tidemark/service-kit/metrics';
import type { VerificationOutcome } from '../backup.ts';
import { auditLog, log } from '../logger.ts';
import { OPEN_STATES, type OpenRestores } from './open-restores.ts';
import { isActive, type Restore } from './restore.ts';

const accepted = counter('tidemark_restores_accepted_total', 'Restores accepted.');
const ended = counter(
  'tidemark_restores_ended_total',
  'Restores that ended, by state and by what they made of their target; one that is resumed ends again.',
  ['state', 'target'],
);
const attemptsEnded = counter(
  'tidemark_restore_attempts_ended_total',
  'Attempts of restores that ended, by how br ended; lost where nobody saw it.',
  ['end'],
);
const open = gauge(
  'tidemark_restores_open',
  'Restores that are not over, by state; Partial ended in the middle and wait for a person. Each copy shows all.',
  ['state'],
);
const oldestPartial = gauge(
  'tidemark_restores_oldest_partial_seconds',
  'For how long the restore that ended in the middle first has waited for a person; 0 where none does.',
);
accepted.inc(0);

const facts = ({ _id, source, target, state, targetState, request, revision }: Restore) => ({
  restoreId: _id,
  backupId: source.backupId,
  clusterId: target.clusterId,
  state,
  targetState,
  requestId: request.id,
  revision,
});

/** Restores that are not over were counted. */
export function openRestoresCounted({ counts, oldestPartialMs }: OpenRestores): void {
  for (const state of OPEN_STATES) open.set({ state }, counts[state]);
  oldestPartial.set(oldestPartialMs / 1_000);
}

function audit(what: string, restore: Restore, caller: string, requestId: string): void {
  const { _id, source, target } = restore;
  auditLog.info(
    {
      what: `${what} restore`,
      id: _id,
      clusterId: target.clusterId,
      backupId: source.backupId,
      caller,
      requestId,
      outcome: 'recorded',
    },
    'audit',
  );
}

/** A restore was written down for the first time. */
export function restoreAccepted(restore: Restore): void {
  accepted.inc();
  log.info(facts(restore), 'restore accepted');
  audit('start', restore, restore.createdBy, restore.request.id);
}

/** A change was written: says what of it people and dashboards care about. */
export function restoreChanged(before: Restore, after: Restore): void {
  reportAttempt(before, after);
  if (before.state !== after.state || before.targetState !== after.targetState) {
    // What a person does about one that failed is no failure, and their request is not the one that began it.
    const isNews = isActive(before) || after.targetState === 'Partial';
    const bad = isNews && (after.state === 'Failed' || (!isActive(after) && after.targetState === 'Partial'));
    const { code, message } = after.reason ?? {};
    const { requestId } = newest(before, after) ?? facts(after);
    log[bad ? 'error' : 'info'](
      {
        ...facts(after),
        requestId,
        from: before.state,
        reason: code,
        why: message,
        outcomeUnknown: after.outcomeUnknown,
      },
      `restore is ${after.state}, its target ${after.targetState}`,
    );
    if (isActive(before) && !isActive(after)) ended.inc({ state: after.state, target: after.targetState });
  }
  const cancel = after.cancels[before.cancels.length];
  if (cancel) audit('cancel', after, cancel.by, cancel.requestId);
  const resume = after.resumes[before.resumes.length];
  if (resume) audit('resume', after, resume.by, resume.requestId);
  if (!before.released && after.released) audit('release', after, after.released.by, after.released.requestId);
}

/** What a person asked for with a change. */
function newest(before: Restore, after: Restore): { readonly requestId: string } | undefined {
  const released = before.released ? undefined : after.released;
  return after.cancels[before.cancels.length] ?? after.resumes[before.resumes.length] ?? released ?? undefined;
}

/** The record of the backup that a restore reads says from now on that it is damaged, or not signed any more. */
export function sourceFoundUnsound(restore: Restore, { state, sentence }: VerificationOutcome): void {
  const what = state === 'Damaged' ? 'backup is damaged' : 'backup was signed, and is not now';
  log.error({ ...facts(restore), sourceClusterId: restore.source.clusterId, why: sentence }, what);
}

function reportAttempt(before: Restore, after: Restore): void {
  after.attempts.forEach((attempt, index) => {
    const known = before.attempts[index];
    const line = { ...facts(after), attempt: index + 1, worker: attempt.worker };
    if (!known) log.info(line, 'attempt granted');
    if (attempt.starting && !known?.starting)
      log.info({ ...line, brVersion: attempt.starting.brVersion }, 'br restore is about to start');
    const wasOpen = known !== undefined && known.outcome === undefined;
    if (wasOpen && attempt.outcome) {
      attemptsEnded.inc({ end: attempt.end?.kind ?? 'lost' });
      const { outcome, end } = attempt;
      log[outcome === 'lost' ? 'warn' : 'info']({ ...line, outcome, end: end?.kind }, 'attempt ended');
    } else if (known && !known.end && attempt.end)
      log.warn({ ...line, end: attempt.end.kind }, 'it became known how the br of a lost attempt ended');
  });
}
