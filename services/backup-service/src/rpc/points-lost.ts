import { AppError } from '@tidemark/errors/app-error';
import { MAX_NAMED } from '@tidemark/limits/limits';
import type { Backup } from '../backup.ts';
import { instantOf } from '../log/log-backup.ts';
import { acknowledgementOf, type Loss, type LostSpan } from '../recovery/would-lose.ts';

/** How many spans are told. */
const newestOf = ({ spans }: Loss) => spans.slice(-MAX_NAMED);

/**
 * Says which points a removal would lose, and what acknowledges that. Of its details `lost` holds the newest intervals as in ISO 8601,
 * with `..` for the end of a log that is still written, such as `2026-12-01T10:00:00.000Z/..`.
 */
export function pointsWouldBeLost({ _id, clusterId, state }: Backup, loss: Loss): AppError {
  const acknowledge = acknowledgementOf(loss);
  const sentences = [
    ...(loss.spans.length > 0
      ? [`Of cluster ${clusterId} the points ${allInWords(loss)} can be restored only from backup ${_id}.`]
      : []),
    ...(loss.lastGood ? [`Backup ${_id} is the last good one of cluster ${clusterId}.`] : []),
    `It is deleted only if that is acknowledged by ${acknowledge}.`,
  ];
  return refusedFor(sentences, loss, { backupId: _id, clusterId, state, acknowledge });
}

/** The same of a truncation. */
export const pointsWouldBeTruncated = (clusterId: string, loss: Loss): AppError =>
  pointsOfLogs(clusterId, loss, 'Its log is truncated so');

/** The same of the removal of all logs. */
export const logsWouldBeRemoved = (clusterId: string, loss: Loss): AppError =>
  pointsOfLogs(clusterId, loss, 'The files of its logs are removed');

function pointsOfLogs(clusterId: string, loss: Loss, what: string): AppError {
  const acknowledge = acknowledgementOf(loss);
  const sentences = [
    `Of cluster ${clusterId} the points ${allInWords(loss)} could be restored no longer.`,
    `${what} only if that is acknowledged by ${acknowledge}.`,
  ];
  return refusedFor(sentences, loss, { clusterId, acknowledge });
}

function refusedFor(sentences: readonly string[], loss: Loss, info: Readonly<Record<string, string>>): AppError {
  const lost = newestOf(loss).map(asInterval).join(', ');
  return new AppError('points_would_be_lost', sentences.join(' '), {
    info: { ...info, lost, lastGood: String(loss.lastGood) },
  });
}

function allInWords(loss: Loss): string {
  const named = newestOf(loss);
  const more = loss.spans.length - named.length;
  return `${named.map(inWords).join(', ')}${more > 0 ? `, and ${more} older spans` : ''}`;
}

const timeOf = (point: bigint) => instantOf(String(point)).toISOString();

const inWords = ({ from, to, growing }: LostSpan) =>
  growing ? `from ${timeOf(from)} on` : `from ${timeOf(from)} to ${timeOf(to)}`;

const asInterval = ({ from, to, growing }: LostSpan) => `${timeOf(from)}/${growing ? '..' : timeOf(to)}`;
