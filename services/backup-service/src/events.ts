import { counter, gauge, histogram } from '@tidemark/service-kit/metrics';
import type { Attempt, Backup } from './backup.ts';
import { isActive } from './backup.ts';
import type { PendingDeletions } from './finished-backups.ts';
import { auditLog, log } from './logger.ts';
import type { StorageCheck } from './storage-check.ts';

const accepted = counter('tidemark_backups_accepted_total', 'Backups accepted, by origin.', ['origin']);
const ended = counter('tidemark_backups_ended_total', 'Backups ended, by state.', ['state']);
const duration = histogram(
  'tidemark_backup_seconds',
  'From the request to the end of a backup, by state.',
  ['state'],
  [1, 10, 60, 300, 900, 3_600, 4 * 3_600, 12 * 3_600, 24 * 3_600],
);
const claims = counter('tidemark_claims_total', 'Answers to claims, by what was granted.', ['grant']);
const attemptsEnded = counter('tidemark_attempts_ended_total', 'Attempts ended, by outcome.', ['outcome']);
const rings = counter('tidemark_rings_total', 'Doorbells rung, by outcome.', ['outcome']);
const deletions = counter(
  'tidemark_deletions_total',
  'Deletions, by how far they came, and by whether a person or retention wished them; None is one that was taken back.',
  ['state', 'by'],
);
const pendingDeletions = gauge(
  'tidemark_deletions_pending',
  'Deletions on record that are not done, by how far they came and by who wished them; each copy tells of all.',
  ['state', 'by'],
);

const facts = ({ _id, clusterId, state, path, request, revision }: Backup) => ({
  backupId: _id,
  clusterId,
  state,
  path,
  requestId: request.id,
  revision,
});

/** A backup was written down for the first time. */
export function backupAccepted(backup: Backup): void {
  accepted.inc({ origin: backup.origin });
  log.info(facts(backup), 'backup accepted');
  audit('start', backup, backup.createdBy, backup.request.id);
}

/** A change was written: says what of it people and dashboards care about. */
export function backupChanged(before: Backup, after: Backup): void {
  reportAttempt(before, after);
  if (before.state !== after.state) {
    log.info({ ...facts(after), from: before.state, reason: after.reason?.code }, `backup is ${after.state}`);
    if (isActive(before) && !isActive(after)) {
      ended.inc({ state: after.state });
      duration.observe({ state: after.state }, (after.updateTime.getTime() - after.startTime.getTime()) / 1000);
    }
  }
  if (!before.cancel && after.cancel) audit('cancel', after, after.cancel.by, after.cancel.requestId);
  if (before.deletion.state !== after.deletion.state) {
    const { state, by, bytes, error, requestId } = after.deletion;
    deletions.inc({ state, by: (by ?? before.deletion.by)?.kind ?? 'person' });
    log.info({ ...facts(after), deletion: state, by: by?.kind, bytes, reason: error }, `deletion is ${state}`);
    if (state === 'Requested') audit('delete', after, by?.name ?? '', requestId ?? '');
  }
}

/** Deletions on record were counted. */
export function deletionsCounted(counts: readonly PendingDeletions[]): void {
  for (const { state, by, count } of counts) pendingDeletions.set({ state, by }, count);
}

function reportAttempt(before: Backup, after: Backup): void {
  const attempt = after.attempts.at(-1);
  if (!attempt) return;
  const number = after.attempts.length;
  const known: Attempt | undefined = before.attempts[number - 1];
  const line = { ...facts(after), attempt: number, worker: attempt.worker };
  if (!known) log.info({ ...line, mayRun: attempt.mayRun }, 'attempt granted');
  if (attempt.argv && !known?.argv) log.info({ ...line, brVersion: attempt.brVersion }, 'br is about to start');
  if (!attempt.outcome || known?.outcome) return;
  attemptsEnded.inc({ outcome: attempt.outcome });
  const level = attempt.outcome === 'lost' || attempt.outcome === 'failed' ? 'warn' : 'info';
  log[level]({ ...line, outcome: attempt.outcome, reason: attempt.reason?.code }, 'attempt ended');
}

/** A worker asked for a task. */
export function claimAnswered(grant: 'backup' | 'remove' | 'lost'): void {
  claims.inc({ grant });
}

/** Somebody asked for a check of a storage, or for records to be rebuilt from it. */
export function checkAccepted(check: StorageCheck): void {
  const { _id, kind, storageId, pool, createdBy, requestId } = check;
  log.info({ checkId: _id, check: kind, storageId, pool, requestId }, 'check accepted');
  const what = kind === 'probe' ? 'check storage' : 'rebuild records';
  auditLog.info(
    { what, id: storageId, checkId: _id, check: kind, caller: createdBy, requestId, outcome: 'recorded' },
    'audit',
  );
}

/** A change of a check was written. */
export function checkChanged(before: StorageCheck, after: StorageCheck): void {
  if (before.state === after.state) return;
  const { _id, kind, storageId, state, ok, worker, losses, totalSteps, requestId } = after;
  const facts = { checkId: _id, check: kind, storageId, state, worker, losses, requestId };
  log.info(state === 'Done' ? { ...facts, ok, totalSteps } : facts, `check is ${state}`);
}

/** A rebuild found the manifest of a backup without a record, and made the record. */
export function backupRebuilt(backup: Backup, { _id, createdBy, requestId }: StorageCheck): void {
  log.warn({ ...facts(backup), checkId: _id }, 'the record of a backup was rebuilt from its manifest');
  audit('rebuild', backup, createdBy, requestId);
}

/** Somebody pinned a backup, or took its pins off. */
export function pinChanged(what: 'pin' | 'unpin', backup: Backup, caller: string, requestId: string): void {
  log.info({ ...facts(backup), requestId }, `backup was ${what}ned`);
  audit(what, backup, caller, requestId);
}

/** A doorbell was rung, or could not be: then the document rings again. */
export function rung(outcome: 'published' | 'failed'): void {
  rings.inc({ outcome });
}

/** Somebody registered, changed or removed a cluster or a storage. */
export function registryChanged(what: string, id: string, caller: string, requestId: string): void {
  auditLog.info({ what, id, caller, requestId, outcome: 'done' }, 'audit');
}

function audit(what: string, { _id, clusterId }: Backup, caller: string, requestId: string): void {
  auditLog.info({ what, backupId: _id, clusterId, caller, requestId, outcome: 'recorded' }, 'audit');
}
