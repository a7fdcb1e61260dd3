/** How a backup is shown to people. Pure. */
import type { Backup } from './api-types.ts';
import type { Standing } from './progress.ts';
import type { Column, Field } from './table.ts';
import type { Style } from './terminal.ts';
import { between, counted, isSet, size, when } from './text.ts';

const STYLES: Readonly<Record<string, Style>> = {
  Succeeded: 'green',
  Good: 'green',
  Failed: 'red',
  Damaged: 'red',
  Canceled: 'yellow',
  Unknown: 'yellow',
};

export const styleOf = (state: string): Style | undefined => STYLES[state];

export const isActive = ({ state }: Backup): boolean => ['Queued', 'Running', 'Canceling'].includes(state);

export const isVerified = ({ verification }: Backup): boolean =>
  verification !== undefined && !['Queued', 'Running', 'Canceling'].includes(verification.state);

export const BACKUP_COLUMNS: readonly Column<Backup>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'CLUSTER', of: ({ clusterId }) => clusterId },
  { title: 'STATE', of: stateOf, style: ({ state }) => styleOf(state) },
  { title: 'STARTED', of: ({ startTime }) => when(startTime) },
  { title: 'TOOK', of: (backup) => (isActive(backup) ? '-' : between(backup.startTime, backup.endTime)) },
  { title: 'SIZE', of: ({ sizeBytes }) => (sizeBytes === 0 ? '-' : size(sizeBytes)) },
  { title: 'ORIGIN', of: ({ origin, rule }) => (rule ? `${origin}: ${rule}` : origin), wide: true },
  { title: 'BY', of: ({ createdBy }) => createdBy, wide: true },
  { title: 'STORAGE', of: ({ storageId }) => storageId, wide: true },
  { title: 'PATH', of: ({ filePath }) => filePath, wide: true },
  { title: 'WHY', of: ({ reason }) => reason?.message ?? '-', wide: true },
];

function stateOf(backup: Backup): string {
  const { state, deletion, verification, pinned, queuePosition, progress } = backup;
  const more = [
    ...(state === 'Running' ? [`${Math.floor(progress.percent)} %`] : []),
    ...(queuePosition === undefined ? [] : [`#${queuePosition}`]),
    ...(deletion.state === 'None' ? [] : [deletion.state]),
    ...(verification?.damaged ? ['damaged'] : []),
    ...(pinned ? ['pinned'] : []),
  ];
  return more.length === 0 ? state : `${state} (${more.join(', ')})`;
}

export function backupFields(backup: Backup): Field[] {
  const { reason, waiting, deletion, verification, cancel, keepReasons } = backup;
  const isGood = backup.state === 'Succeeded';
  return [
    ['id', backup.id],
    ['cluster', backup.clusterId],
    ['state', stateOf(backup), styleOf(backup.state)],
    ['why', reason && `${reason.message} (${reason.code})`],
    ['waits for', waiting?.message],
    ['next try', isSet(backup.nextTryTime) ? when(backup.nextTryTime) : ''],
    ['progress', isActive(backup) ? progressOf(backup) : ''],
    ['started', `${when(backup.startTime)} by ${backup.createdBy} (${backup.origin})`],
    ['rule', backup.rule],
    ['ended', isActive(backup) ? '' : `${when(backup.endTime)}, after ${between(backup.startTime, backup.endTime)}`],
    ['storage', backup.storageId],
    ['path', backup.filePath],
    ['size', isGood ? `${size(backup.sizeBytes)} in ${counted(backup.files, 'file')}` : ''],
    ['tso', isGood ? backup.backupTso : ''],
    ['canceled', cancel && `${when(cancel.at)} by ${cancel.by}${cancel.reason && `: ${cancel.reason}`}`],
    ['verification', verification && verificationOf(verification), styleOf(verification?.state ?? '')],
    ['earlier verdict', verification?.earlier && `${verification.earlier.state}: ${verification.earlier.verdict}`],
    ['kept because', keepReasons && (keepReasons.join(', ') || 'nothing keeps it: retention removes it')],
    ['kept until', isSet(backup.expiresAt) ? when(backup.expiresAt) : ''],
    ['held by', backup.holds.join(', ')],
    ['deletion', deletion.state === 'None' ? '' : deletionOf(deletion)],
    ['remark', backup.remark],
    [
      'attempts',
      backup.attempts
        .map(
          ({ number, worker, outcome, reason: why }) =>
            `${number}  ${worker}  ${outcome || 'running'}${why ? `: ${why.message}` : ''}`,
        )
        .join('\n'),
    ],
  ];
}

function progressOf({ progress: { step, percent, speed }, estimate }: Backup): string {
  if (percent === 0 && estimate) return `${size(estimate.writtenBytes)} written so far`;
  return [step, `${Math.floor(percent)} %`, speed].filter(Boolean).join(', ');
}

function verificationOf({ state, verdict, problems, problemCount }: NonNullable<Backup['verification']>): string {
  const shown = problems.map(({ kind, name, why }) => `${kind}  ${name}: ${why}`);
  const more = problemCount > problems.length && problems.length > 0 ? [`… ${problemCount} in all`] : [];
  return [verdict === '' ? state : `${state}: ${verdict}`, ...shown, ...more].join('\n');
}

function deletionOf({ state, at, by, reason, trashUntil, error, remark }: Backup['deletion']): string {
  const who = by ? `, asked for ${when(at)} by ${by}${reason ? ` (${reason})` : ''}` : '';
  const until = isSet(trashUntil) ? `, in the bin until ${when(trashUntil)}` : '';
  return [`${state}${who}${until}`, error ?? '', remark ?? ''].filter(Boolean).join('\n');
}

/** How far a backup is. */
export function standingOf({ state, progress, queuePosition, waiting, reason, estimate }: Backup): Standing {
  const hasProgress = state === 'Running' && progress.percent > 0;
  const percent = hasProgress ? progress.percent : estimate?.percent;
  return {
    state: queuePosition === undefined ? state : `${state} #${queuePosition}`,
    ...(hasProgress && { step: progress.step, speed: progress.speed, remainingSeconds: progress.remainingSeconds }),
    ...(state === 'Running' && percent !== undefined && { percent }),
    note: waiting?.message ?? (state === 'Queued' ? reason?.message : undefined),
  };
}

/** How far the verification of a backup is. */
export function verificationStanding({ verification }: Backup): Standing {
  const { state = 'Unknown', progress, problemCount = 0, waitsFor } = verification ?? {};
  return {
    state,
    step: 'verification',
    percent: progress && progress.bytesInAll > 0 ? (100 * progress.bytesRead) / progress.bytesInAll : undefined,
    note: problemCount > 0 ? `${counted(problemCount, 'problem')} so far` : waitsFor,
  };
}

/** The last line about a backup that was waited for. */
export function endOf(backup: Backup): string {
  const { id, state, reason, sizeBytes, files, startTime, endTime } = backup;
  if (state === 'Succeeded')
    return `The backup ${id} succeeded: ${size(sizeBytes)} in ${counted(files, 'file')}, after ${between(startTime, endTime)}.`;
  const why = reason ? `: ${reason.message}${reason.detail ? `\n${reason.detail}` : ''}` : '.';
  return `The backup ${id} ${state === 'Canceled' ? 'was canceled' : 'failed'}${why}`;
}
