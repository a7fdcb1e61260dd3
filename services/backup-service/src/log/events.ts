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
  const ended = after.generations.filter(
    ({ n, open }) => !open && before.generations.some((one) => one.n === n && one.open),
  );
  for (const { n, taskName, endedWhy, max } of ended)
    log.info({ ...facts, generation: n, taskName, endedWhy, max }, 'a log is over');
}
