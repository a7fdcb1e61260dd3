import type { Occurrence, Why } from './catch-up.ts';
import type { DrillRun, DrillWhy } from './drill/decide/run.ts';
import { log } from './logger.ts';
import type { Delivery } from './notification/decide/delivery.ts';
import type { Outcome } from './occurrence-store.ts';

const facts = ({ _id, clusterId, rule, opensAt, closesAt }: Occurrence) => ({
  occurrenceId: _id,
  clusterId,
  rule,
  opensAt,
  closesAt,
});

export function windowCame(occurrence: Occurrence): void {
  log.info({ ...facts(occurrence), late: occurrence.late }, 'a window came');
}

export function startWaits(occurrence: Occurrence, { code, reason }: Why, requestId: string): void {
  log.info({ ...facts(occurrence), code, reason, requestId }, 'a start waits');
}

export function occurrenceDecided(
  occurrence: Occurrence,
  { state, backupId, code, reason }: Outcome,
  requestId: string,
): void {
  const level = state === 'Started' ? 'info' : 'warn';
  log[level]({ ...facts(occurrence), state, backupId, code, reason, requestId }, `window is ${state}`);
}

export function windowClosedOn(occurrence: Occurrence, requestId: string): void {
  log.warn(
    { ...facts(occurrence), backupId: occurrence.backupId, requestId },
    'a backup is stopped: its window closed',
  );
}

export function retentionDeletes(clusterId: string, rule: string, backupId: string, requestId: string): void {
  log.info({ clusterId, rule, backupId, requestId }, 'retention deletes a backup');
}

export function verificationAsked(clusterId: string, rule: string, backupId: string, requestId: string): void {
  log.info({ clusterId, rule, backupId, requestId }, 'a rule has a backup verified');
}

export function verificationRefused(clusterId: string, rule: string, backupId: string, error: unknown): void {
  log.warn({ clusterId, rule, backupId, error }, 'a backup could not be asked to be verified; tried again later');
}

export function retentionRefused(clusterId: string, rule: string, backupId: string, error: unknown): void {
  log.warn({ clusterId, rule, backupId, error }, 'a deletion by retention was refused; tried again later');
}

export function receiverSaved(receiverId: string, caller: string, requestId: string): void {
  log.info({ receiverId, caller, requestId }, 'a receiver of notifications was saved');
}

export function receiverDeleted(receiverId: string, caller: string, requestId: string): void {
  log.info({ receiverId, caller, requestId }, 'a receiver of notifications was deleted');
}

export function templateFailed(receiverId: string, trouble: string): void {
  log.warn({ receiverId, trouble }, 'the template of a receiver failed; the plain text was sent');
}

export function notificationTried({ receiverId, event, state, tries, trouble }: Delivery): void {
  const level = state === 'GivenUp' ? 'error' : trouble === '' ? 'info' : 'warn';
  log[level]({ receiverId, eventId: event.id, type: event.type, state, tries, trouble }, `a notification is ${state}`);
}

export function drillSaved(clusterId: string, targetClusterId: string, caller: string, requestId: string): void {
  log.info({ clusterId, targetClusterId, caller, requestId }, 'a drill was saved');
}

export function drillDeleted(clusterId: string, caller: string, requestId: string): void {
  log.info({ clusterId, caller, requestId }, 'a drill was deleted');
}

export function drillCame({ _id: runId, clusterId, targetClusterId, byHand }: DrillRun): void {
  log.info({ runId, clusterId, targetClusterId, byHand }, 'a drill is to run');
}

export function drillWaits({ _id: runId, clusterId }: DrillRun, { code, reason }: DrillWhy): void {
  log.info({ runId, clusterId, code, reason }, 'a drill waits');
}

export function drillDecided(run: DrillRun): void {
  const { _id: runId, clusterId, targetClusterId, state, backupId, restoreId, seconds, code, reason } = run;
  const fields = { runId, clusterId, targetClusterId, state, backupId, restoreId, seconds, code, reason };
  if (state === 'Succeeded') log.info(fields, 'a drill brought a backup back');
  else log.warn(fields, 'a drill did not prove its cluster');
}
