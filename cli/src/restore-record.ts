/** How a restore, and the plan of one, are shown to people. Pure. */
import type { Restore, RestorePlan } from './api-types.ts';
import { styleOf } from './backup-record.ts';
import type { Standing } from './progress.ts';
import type { Column, Field } from './table.ts';
import type { Style } from './terminal.ts';
import { between, duration, isSet, size, when } from './text.ts';

export const isActive = ({ state }: Restore): boolean => ['Queued', 'Running', 'Canceling'].includes(state);

export const RESTORE_COLUMNS: readonly Column<Restore>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'TARGET', of: ({ target }) => target.clusterId },
  { title: 'STATE', of: stateOf, style: ({ state }) => styleOf(state) },
  { title: 'TARGET IS', of: ({ targetState }) => targetState, style: targetStyle },
  { title: 'STARTED', of: ({ startTime }) => when(startTime) },
  { title: 'TOOK', of: (restore) => (isActive(restore) ? '-' : between(restore.startTime, restore.endTime)) },
  { title: 'FROM', of: ({ source }) => source.clusterId, wide: true },
  { title: 'BACKUP', of: ({ source }) => source.backupId, wide: true },
  { title: 'BY', of: ({ createdBy }) => createdBy, wide: true },
  { title: 'WHY', of: ({ reason }) => reason?.message ?? '-', wide: true },
];

function stateOf({ state, progress }: Restore): string {
  return state === 'Running' && progress ? `${state} ${Math.floor(progress.percent)} %` : state;
}

function targetStyle({ targetState }: Restore): Style | undefined {
  return targetState === 'Partial' ? 'red' : undefined;
}

export function restoreFields(restore: Restore): Field[] {
  const { source, target, result, reason, release, canceledBy, cancelReason } = restore;
  return [
    ['id', restore.id],
    ['state', stateOf(restore), styleOf(restore.state)],
    ['target', `${target.clusterId}: ${restore.targetState}`, targetStyle(restore)],
    ['why', reason && `${reason.message} (${reason.code})`],
    ['advice', restore.advice],
    ['next try', isSet(restore.nextTryTime) ? when(restore.nextTryTime) : ''],
    ['source', `${source.backupId} of ${source.clusterId}, ${size(source.sizeBytes)}`],
    ['point in time', pointOf(source)],
    ['filter', restore.filter?.join(', ')],
    ['started', `${when(restore.startTime)} by ${restore.createdBy}`],
    [
      'ended',
      isActive(restore) ? '' : `${when(restore.endTime)}, after ${between(restore.startTime, restore.endTime)}`,
    ],
    ['worker', restore.worker],
    ['br', restore.brVersion],
    ['restored', result && `${size(result.sizeBytes)} in ${duration(result.seconds)}; checksums ${result.checksums}`],
    ['remark', result?.remark],
    ['canceled', canceledBy && `by ${canceledBy}${cancelReason ? `: ${cancelReason}` : ''}`],
    ['needs', needsOf(restore).join('\n')],
    ['left behind', cleanupOf(restore)],
    ['quiet until', isSet(restore.quietUntil) ? when(restore.quietUntil) : ''],
    ['released', release && `${when(release.at)} by ${release.by}${release.note ? `: ${release.note}` : ''}`],
  ];
}

/** The moment, and the log that leads there; empty where the backup alone is restored. */
const pointOf = ({ log }: Restore['source']) =>
  log ? `${when(log.pointInTime)}, by log ${log.generation} (${log.storageId}: ${log.path})` : '';

function needsOf({ outcomeUnknown, needsConfirm, needsCleaning }: Restore): string[] {
  return [
    ...(outcomeUnknown ? ['It may have finished unseen: look at the target.'] : []),
    ...(needsConfirm ? ['Say --host-dead once the host of the lost worker is certainly dead.'] : []),
    ...(needsCleaning ? ['A checkpoint lies in the target, so that no other restore may begin there.'] : []),
  ];
}

/** What it left behind in its target, a line each. */
export function cleanupOf({ cleanup }: Pick<Restore, 'cleanup'>): string {
  return cleanup
    .map(({ what, message, command, until }) => {
      const end = isSet(until) ? ` (until ${when(until)})` : '';
      return `${what}: ${message}${end}${command ? `\n  ${command}` : ''}`;
    })
    .join('\n');
}

export function standingOf({ state, progress, reason }: Restore): Standing {
  const hasProgress = state === 'Running' && progress !== undefined;
  return {
    state,
    ...(hasProgress && { step: progress.step, percent: progress.percent, remainingSeconds: progress.secondsLeft }),
    note: state === 'Queued' ? reason?.message : undefined,
  };
}

/** The last lines about a restore that was waited for. */
export function endOf({ id, state, target, targetState, reason, advice, startTime, endTime }: Restore): string {
  if (state === 'Succeeded')
    return `The restore ${id} into ${target.clusterId} succeeded, after ${between(startTime, endTime)}.`;
  const why = reason ? `: ${reason.message}` : '.';
  const end = `The restore ${id} ${state === 'Canceled' ? 'was canceled' : 'failed'}${why}\nThe target ${target.clusterId} is ${targetState}.`;
  return advice ? `${end}\n${advice}` : end;
}

const CHECK_STYLES: Readonly<Record<string, Style>> = { ok: 'green', warn: 'yellow', blocked: 'red' };

export function planFields({
  planHash,
  source,
  target,
  filter,
  checks,
  estimate,
  brVersion,
  argv,
  needs,
}: RestorePlan): Field[] {
  return [
    ['source', `${source.backupId} of ${source.clusterId}, ${when(source.time)}, ${size(source.sizeBytes)}`],
    ['point in time', pointOf(source)],
    ['target', `${target.clusterId}${target.purpose ? ` (${target.purpose})` : ''}, ${target.pd.join(', ')}`],
    ['filter', filter?.join(', ')],
    ['takes about', estimate.seconds > 0 ? `${duration(estimate.seconds)}: ${estimate.basis}` : estimate.basis],
    ['br', brVersion],
    ['command', argv?.join(' ')],
    ...checks.map(({ name, result, message }): Field => [name, `${result}: ${message}`, CHECK_STYLES[result]]),
    ['needs', needs.join(', ')],
    ['plan', planHash],
  ];
}
