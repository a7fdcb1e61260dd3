import { isAtRest, type LogBackup } from './log-backup.ts';

/** Why no restore may begin in a cluster because of its log backup, and what to do; a text for people. */
export function whyLogInTheWay(log: LogBackup): string {
  const { _id, wanted, block, quietUntil, observed } = log;
  if (block !== null) return `Cluster ${_id} is kept from writing a log by another restore: wait for its end.`;
  if (wanted !== 'off')
    return `Cluster ${_id} has a log backup (${observed.state}), and br restores nothing into a cluster that writes a log: turn it off first (DELETE /clusters/${_id}/log-backup), and take a full backup when you turn it on again.`;
  if (isAtRest(log) && quietUntil !== null)
    return `A worker that began a log backup of cluster ${_id} was lost, and its br may come late: the restore goes on at ${quietUntil.toISOString()}.`;
  return `The log backup of cluster ${_id} is being turned off (${observed.state}): the restore goes on once it is seen to be off.`;
}

/** Whether a restore would have to wait for it now. */
export function isInTheWay(log: LogBackup, now: Date): boolean {
  return log.block !== null || !isAtRest(log) || (log.quietUntil !== null && log.quietUntil > now);
}
