import { counter, gauge, histogram } from '@tidemark/service-kit/metrics';
import type { Attempt, Backup } from './backup.ts';
import { isActive } from './backup.ts';
import type { EndedBackups, GoodOfStorage, PendingDeletions } from './finished-backups.ts';
import { auditLog, log } from './logger.ts';
import type { MarkedPlace } from './marker-store.ts';
import { type PoolLoad, type StorageLoad, TASK_KINDS } from './pool-load.ts';
import type { StorageCheck } from './storage-check.ts';
import type { Verification } from './verification.ts';

const accepted = counter('tidemark_backups_accepted_total', 'Backups accepted, by origin.', ['origin']);
const ended = counter('tidemark_backups_ended_total', 'Backups ended, by state.', ['state']);
const endedOfLastDay = gauge(
  'tidemark_backups_ended_last_day',
  'Backups that ended in the last 24 hours, by state, from the records; each copy shows all.',
  ['state'],
);
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
  'Deletions on record that are not done, by how far they came and by who wished them; each copy shows all.',
  ['state', 'by'],
);

const verificationsEnded = counter('tidemark_verifications_ended_total', 'Verifications ended, by outcome.', ['state']);
const damaged = gauge(
  'tidemark_backups_damaged',
  'Backups on record that a verification found damaged, and that nobody deletes; each copy shows all.',
);

for (const state of ['Good', 'Damaged', 'Unknown', 'Canceled']) verificationsEnded.inc({ state }, 0);

// There from the start: an alert that looks for growth does not see what begins at 1.
for (const state of ['Succeeded', 'Failed', 'Canceled']) {
  ended.inc({ state }, 0);
  endedOfLastDay.set({ state }, 0);
}

const handedBack = counter(
  'tidemark_tasks_handed_back_total',
  'Tasks that a worker gave back because of what is wrong with that worker, by kind of task.',
  ['task'],
);

// Before the first one the series is there too, so that an alert sees the step.
for (const task of ['backup', 'remove']) handedBack.inc({ task }, 0);

/** Gauges of each pool of workers, from the records; each copy shows all. */
const pools = {
  queued: gauge(
    'tidemark_pool_tasks_queued',
    'Tasks of a pool that wait, by kind: backups, restores and verifications that are Queued, and removals whose time has come.',
    ['pool', 'task'],
  ),
  running: gauge('tidemark_pool_tasks_running', 'Tasks of a pool that workers hold, by kind.', ['pool', 'task']),
  oldestQueued: gauge(
    'tidemark_pool_oldest_queued_seconds',
    'For how long the backup or restore of a pool that has waited longest has been Queued; 0 where none is.',
    ['pool'],
  ),
  workers: gauge('tidemark_pool_workers', 'Workers of a pool that are present and not draining.', ['pool']),
  draining: gauge(
    'tidemark_pool_workers_draining',
    'Workers of a pool that finish what they have and take nothing new.',
    ['pool'],
  ),
  slots: gauge('tidemark_pool_slots', 'Slots of the workers of a pool that take tasks.', ['pool']),
  freeSlots: gauge('tidemark_pool_slots_free', 'Slots of a pool that are free.', ['pool']),
  wantedSlots: gauge(
    'tidemark_pool_slots_wanted',
    'Slots that a pool could fill now: what runs, and what may begin as far as storages have room for it.',
    ['pool'],
  ),
  wantedWorkers: gauge(
    'tidemark_pool_workers_wanted',
    'Workers that have the wanted slots, each as large as those that are there, or with one slot where none is.',
    ['pool'],
  ),
};

/** Gauges of each storage, from the records; each copy shows all. */
const storages = {
  queued: gauge(
    'tidemark_storage_tasks_queued',
    'Tasks of a storage that wait, by kind: backups, restores and verifications that are Queued, and removals whose time has come.',
    ['storage', 'task'],
  ),
  running: gauge('tidemark_storage_tasks_running', 'Tasks of a storage that workers hold, by kind.', [
    'storage',
    'task',
  ]),
};
const goodOfStorages = {
  backups: gauge('tidemark_storage_backups', 'Good backups in a storage; absent where there is none.', ['storage']),
  bytes: gauge('tidemark_storage_bytes', 'Bytes of the good backups in a storage; absent where there is none.', [
    'storage',
  ]),
};

/** A worker reported itself, but there are too many of them. */
export function presenceNotKept(worker: string, pool: string): void {
  log.warn({ worker, pool }, 'there are too many workers: the presence of this one is not kept');
}

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
  reportHandBack(before, after);
  if (before.state !== after.state) {
    const level = after.state === 'Failed' ? 'error' : 'info';
    const { code, message } = after.reason ?? {};
    const why = after.state === 'Failed' ? { reason: code, why: message } : { reason: code };
    log[level]({ ...facts(after), from: before.state, ...why }, `backup is ${after.state}`);
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
    const isWish = state === 'Trashed' || (state === 'Requested' && before.deletion.state !== 'Trashed');
    if (isWish) audit('delete', after, by?.name ?? '', requestId ?? '');
    if (state === 'Forgotten') audit('forget', after, by?.name ?? '', requestId ?? '');
  }
}

/** Deletions on record were counted. */
export function deletionsCounted(counts: readonly PendingDeletions[]): void {
  for (const { state, by, count } of counts) pendingDeletions.set({ state, by }, count);
}

/** Those that ended lately were counted. */
export function endedCounted(counts: readonly EndedBackups[]): void {
  for (const { state, count } of counts) endedOfLastDay.set({ state }, count);
}

/** Damaged backups on record were counted. */
export function damagedCounted(count: number): void {
  damaged.set(count);
}

/** The load of all pools was counted; one that is gone is not shown any more. */
export function poolsCounted(loads: readonly PoolLoad[]): void {
  for (const one of Object.values(pools)) one.reset();
  for (const { pool, ...load } of loads) {
    for (const task of TASK_KINDS) {
      pools.queued.set({ pool, task }, load.queued[task]);
      pools.running.set({ pool, task }, load.running[task]);
    }
    pools.oldestQueued.set({ pool }, load.oldestQueuedMs / 1_000);
    pools.workers.set({ pool }, load.workers);
    pools.draining.set({ pool }, load.drainingWorkers);
    pools.slots.set({ pool }, load.slots);
    pools.freeSlots.set({ pool }, load.freeSlots);
    pools.wantedSlots.set({ pool }, load.wantedSlots);
    pools.wantedWorkers.set({ pool }, load.wantedWorkers);
  }
}

/** The load of all storages was counted; one that is gone is not shown any more. */
export function storagesCounted(loads: readonly StorageLoad[]): void {
  for (const one of Object.values(storages)) one.reset();
  for (const { storageId: storage, queued, running } of loads)
    for (const task of TASK_KINDS) {
      storages.queued.set({ storage, task }, queued[task]);
      storages.running.set({ storage, task }, running[task]);
    }
}

/** The good backups of all storages were counted. */
export function goodCounted(good: readonly GoodOfStorage[]): void {
  for (const one of Object.values(goodOfStorages)) one.reset();
  for (const { storageId: storage, backups, sizeBytes } of good) {
    goodOfStorages.backups.set({ storage }, backups);
    goodOfStorages.bytes.set({ storage }, sizeBytes);
  }
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

function reportHandBack(before: Backup, after: Backup): void {
  const last = after.handBacks?.at(-1);
  if (!last || last === before.handBacks?.at(-1)) return;
  const task = before.task?.kind ?? 'backup';
  handedBack.inc({ task });
  const { worker, times, reason } = last;
  log.warn(
    { ...facts(after), task, worker, times, reason: reason.code },
    `a worker gave a task back: ${reason.message}`,
  );
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

/** A change of a verification was written; the first time there is none before. */
export function verificationChanged(before: Verification | undefined, after: Verification): void {
  const { _id, clusterId, run, level, sample, state, worker, losses, failures, requestId, createdBy } = after;
  const facts = { backupId: _id, clusterId, run, level, sample, state, worker, losses, failures, requestId };
  if (before?.run !== run) {
    log.info(facts, 'verification accepted');
    const what = 'verify backup';
    auditLog.info({ what, backupId: _id, clusterId, caller: createdBy, requestId, outcome: 'recorded' }, 'audit');
    return;
  }
  if (after.waitsFor !== '' && after.waitsFor !== before.waitsFor)
    log.warn({ ...facts, why: after.waitsFor }, 'a backup could not be verified; it is tried again');
  if (before.state === state) return;
  const loudness = state === 'Damaged' ? 'error' : state === 'Unknown' ? 'warn' : 'info';
  const { sentence, problemCount, problems } = after;
  const what = after.endTime === null ? facts : { ...facts, problemCount, first: problems[0]?.why };
  log[loudness](what, `verification is ${state}${sentence && `: ${sentence}`}`);
  if (after.endTime !== null) verificationsEnded.inc({ state });
}

/** Somebody had the verification of a backup canceled. */
export function verificationCanceled({ _id, clusterId }: Verification, caller: string, requestId: string): void {
  const what = 'cancel verification';
  auditLog.info({ what, backupId: _id, clusterId, caller, requestId, outcome: 'recorded' }, 'audit');
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

/** Somebody took a backup out of the bin. */
export function backupUndeleted(backup: Backup, caller: string, requestId: string): void {
  log.info({ ...facts(backup), requestId }, 'backup was undeleted');
  audit('undelete', backup, caller, requestId);
}

/** The number that a storage is known by was taken down, or replaced. */
export function markerSettled({ storageId, place }: MarkedPlace, number: string, by: string): void {
  log.warn({ storageId, place, number, by }, 'a storage is known by its marker from now on');
}

/** An admin declared that what lay at a place is where the storage is now, and it was proven. */
export function storageMoved(
  { storageId, place }: MarkedPlace,
  to: string,
  backups: number,
  { _id, createdBy, requestId }: StorageCheck,
): void {
  log.warn(
    { storageId, from: place, to, backups, checkId: _id, requestId },
    'backups follow their storage to another place',
  );
  auditLog.info(
    {
      what: 'move storage',
      id: storageId,
      from: place,
      to,
      backups,
      caller: createdBy,
      requestId,
      outcome: 'recorded',
    },
    'audit',
  );
}

/** A doorbell was rung, or could not be: then the document rings again. */
export function rung(outcome: 'published' | 'failed'): void {
  rings.inc({ outcome });
}

/** Somebody registered, changed or removed a cluster or a storage, or made or took back a token. */
export function registryChanged(what: string, id: string, caller: string, requestId: string): void {
  auditLog.info({ what, id, caller, requestId, outcome: 'done' }, 'audit');
}

function audit(what: string, { _id, clusterId }: Backup, caller: string, requestId: string): void {
  auditLog.info({ what, backupId: _id, clusterId, caller, requestId, outcome: 'recorded' }, 'audit');
}
