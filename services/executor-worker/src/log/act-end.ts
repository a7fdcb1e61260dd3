/** What the end of an act of `br log` means (br-contract 11): pure. */

import { MAX_WORKER_SENTENCE } from '@tidemark/limits/limits';
import type { Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { ShortRun } from '../br/short-run.ts';

export type ActKind = 'start' | 'pause' | 'resume' | 'stop';

export interface ActEnd {
  readonly result: 'ok' | 'refused' | 'newLog' | 'unknown';
  readonly reason?: Reason;
}

interface Row {
  readonly says: string | RegExp;
  readonly of: readonly ActKind[];
  readonly result: ActEnd['result'];
  readonly code: string;
  readonly message: string;
}

const ANY: readonly ActKind[] = ['start', 'pause', 'resume', 'stop'];

/** The first row that fits. */
const ROWS: readonly Row[] = [
  { says: 'is paused already', of: ['pause'], result: 'ok', code: '', message: '' },
  { says: 'is active already', of: ['resume'], result: 'ok', code: '', message: '' },
  { says: /ErrTaskNotFound|no such task/, of: ['stop'], result: 'ok', code: '', message: '' },
  {
    ...{ says: /ErrTaskNotFound|no such task/, of: ['pause', 'resume'], result: 'refused', code: 'TASK_GONE' },
    message: 'The task is gone; somebody stopped it.',
  },
  {
    ...{ says: 'ErrStreamLogTaskExist', of: ['start'], result: 'refused', code: 'TASK_EXISTS' },
    message: 'Another log backup task is in this cluster, which has one at most.',
  },
  {
    ...{ says: 'log-backup.enable', of: ANY, result: 'refused', code: 'NOT_ENABLED' },
    message: 'Switch log-backup.enable on in the configuration of TiKV, and restart it.',
  },
  {
    ...{
      says: /lightning\/restore tasks? (?:are )?running|lightning\/restore tasks running/,
      of: ['start'],
      result: 'refused',
      code: 'RESTORE_RUNS',
    },
    message: 'An import or a restore runs in the cluster, or ended less than three minutes ago.',
  },
  {
    ...{ says: 'has been gc', of: ['resume'], result: 'newLog', code: 'HISTORY_LOST' },
    message:
      'The log was interrupted for longer than the cluster keeps its history: a new log begins, with a new full backup.',
  },
  {
    ...{
      says: /ErrBackupGCSafepointExceeded|GC safepoint \d+ exceed/,
      of: ['start', 'resume'],
      result: 'newLog',
      code: 'HISTORY_LOST',
    },
    message: 'The cluster does not keep the history any more from which the log was to begin.',
  },
  {
    ...{ says: 'the stream log files from cluster ID', of: ['start'], result: 'newLog', code: 'OTHER_CLUSTER' },
    message: 'The path holds the log of another cluster: another path is taken.',
  },
  {
    ...{ says: 'the storage has been used for full backup', of: ['start'], result: 'newLog', code: 'PATH_USED' },
    message: 'The path holds a full backup: another path is taken.',
  },
  {
    ...{
      says: /open .*backupmeta|NoSuchKey.*backupmeta|failed to (?:read|load) .*backupmeta/,
      of: ['start'],
      result: 'newLog',
      code: 'PATH_USED',
    },
    message: 'An earlier start in this path was cut short: another path is taken.',
  },
  {
    ...{ says: 'ErrStorageInvalidConfig', of: ['start'], result: 'refused', code: 'STORAGE_UNUSABLE' },
    message: 'br cannot write to a storage of this kind.',
  },
  {
    ...{ says: 'nothing need to observe', of: ['start'], result: 'refused', code: 'EMPTY_CLUSTER' },
    message: 'The cluster is empty: there is nothing whose log could be written.',
  },
  {
    ...{
      says: /Miss parameters|ErrInvalidTaskInfo|unknown flag|unknown command/,
      of: ANY,
      result: 'refused',
      code: 'CALLED_WRONGLY',
    },
    message: 'This br does not take the command that Tidemark gave it.',
  },
  {
    ...{
      says: /failed to get cluster id|context deadline exceeded: connection error/,
      of: ANY,
      result: 'refused',
      code: 'PD_UNREACHABLE',
    },
    message: 'PD of the cluster does not answer.',
  },
  {
    // A call that was sent may have been carried out.
    ...{ says: /connection refused|connection error: desc/, of: ANY, result: 'unknown', code: 'CONNECTION_LOST' },
    message: 'The cluster stopped answering.',
  },
  {
    ...{
      says: /AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|status code: 403|permission denied/,
      of: ['start'],
      result: 'refused',
      code: 'STORAGE_DENIED',
    },
    message: 'br may not write to the storage of the log.',
  },
];

/** How an act ended. A text that nobody knows says nothing: the next look tells. */
export function readActEnd(kind: ActKind, { code, stdout, stderr, trouble }: ShortRun): ActEnd {
  if (trouble !== undefined || code === undefined)
    return { result: 'unknown', reason: { code: 'UNKNOWN_END', message: trouble ?? 'br was killed.', detail: '' } };
  // A command that this br does not have prints its help, and calls that a success (br-contract 14.1).
  const isHelp = code === 0 && /^Usage:/m.test(stdout) && !stdout.includes(`log ${kind} success summary`);
  if (code === 0 && !isHelp) return { result: 'ok' };
  const said = `${stderr}\n${stdout
    .split('\n')
    .filter((line) => line.startsWith('Error: '))
    .join('\n')}`;
  const detail = said.trim().slice(0, MAX_WORKER_SENTENCE);
  if (isHelp)
    return {
      result: 'refused',
      reason: { code: 'CALLED_WRONGLY', message: 'This br has no log backup.', detail: '' },
    };
  const row = ROWS.find(
    ({ says, of }) => of.includes(kind) && (typeof says === 'string' ? said.includes(says) : says.test(said)),
  );
  if (!row) return { result: 'unknown', reason: { code: 'BR_FAILED', message: `br log ${kind} failed.`, detail } };
  if (row.result === 'ok') return { result: 'ok' };
  return { result: row.result, reason: { code: row.code, message: row.message, detail } };
}
