import { auditLog, log } from '../logger.ts';
import type { LogBackup } from './log-backup.ts';

/** A change of a log backup was written. */
export function logBackupChanged(before: LogBackup, after: LogBackup): void {
  const { _id: clusterId, wanted, wish, wishedBy, requestId, observed, task, refusal, revision } = after;
  const facts = { clusterId, wanted, state: observed.state, requestId, revision };
  if (wish !== before.wish) {
    log.info(facts, `log backup is wanted ${wanted}`);
    const what = 'log backup';
    auditLog.info({ what, clusterId, wanted, caller: wishedBy, requestId, outcome: 'recorded' }, 'audit');
  }
  if (observed.state !== before.observed.state) {
    const { unreachable, foreign, errors } = observed;
    const why = unreachable?.message ?? foreign?.name ?? errors[0]?.message;
    const level = observed.state === 'Running' || observed.state === 'Off' ? 'info' : 'warn';
    log[level](
      { ...facts, before: before.observed.state, ...(why !== undefined && { why }) },
      'log backup is seen otherwise',
    );
  }
  if (task?.act && task.act !== before.task?.act) {
    const { kind, taskName } = task.act;
    log.info({ ...facts, taskName, worker: task.worker }, `log backup: ${kind} is begun`);
  }
  if (refusal && refusal !== before.refusal)
    log.warn(
      { ...facts, code: refusal.reason.code, why: refusal.reason.message },
      `log backup: ${refusal.kind} did not succeed`,
    );
  for (const one of after.generations) {
    const { n, taskName, truncating, removal } = one;
    const old = before.generations.find((other) => other.n === n);
    const was = old?.truncating;
    const taken = { ...facts, generation: n, taskName };
    if (removal && old && !old.removal)
      log.info(taken, 'a log is to be removed, once it is stopped and nobody reads it');
    if (truncating && !was) {
      const { until, by } = truncating;
      log.info({ ...taken, until, by }, until === null ? 'a log is to be removed' : 'a log is to be truncated');
    }
    if (truncating?.trouble && truncating.trouble !== was?.trouble)
      log.warn(
        { ...taken, code: truncating.trouble.code, why: truncating.trouble.message },
        'a log could not be truncated',
      );
    if (!truncating && was)
      log.info({ ...taken, until: was.until }, was.fence === 0 ? 'a truncation was taken back' : 'a log was truncated');
  }
  for (const { n, taskName } of before.generations)
    if (!after.generations.some((one) => one.n === n))
      log.info({ ...facts, generation: n, taskName }, 'a log was removed');
  const ended = after.generations.filter(
    ({ n, open }) => !open && before.generations.some((one) => one.n === n && one.open),
  );
  for (const { n, taskName, endedWhy, max } of ended)
    log.info({ ...facts, generation: n, taskName, endedWhy, max }, 'a log is over');
}
