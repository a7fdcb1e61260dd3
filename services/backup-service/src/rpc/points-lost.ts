import { AppError } from '@tidemark/errors/app-error';
import { MAX_NAMED } from '@tidemark/limits/limits';
import type { Backup } from '../backup.ts';
import { instantOf } from '../log/log-backup.ts';
import { acknowledgementOf, type Loss, type LostSpan } from '../recovery/would-lose.ts';

/**
 * Says which points a removal would lose, and what acknowledges that. Of its details `lost` holds the newest intervals as in ISO 8601,
 * with `..` for the end of a log that is still written, such as `2026-12-01T10:00:00.000Z/..`.
 */
export function pointsWouldBeLost({ _id, clusterId, state }: Backup, loss: Loss): AppError {
  const acknowledge = acknowledgementOf(loss);
  const named = loss.spans.slice(-MAX_NAMED);
  const more = loss.spans.length > named.length ? `, and ${loss.spans.length - named.length} older spans` : '';
  const points =
    named.length === 0
      ? []
      : [
          `Of cluster ${clusterId} the points ${named.map(inWords).join(', ')}${more} can be restored only from backup ${_id}.`,
        ];
  const last = loss.lastGood ? [`Backup ${_id} is the last good one of cluster ${clusterId}.`] : [];
  return new AppError(
    'points_would_be_lost',
    [...points, ...last, `It is deleted only if that is acknowledged by ${acknowledge}.`].join(' '),
    {
      info: {
        ...{ backupId: _id, clusterId, state, acknowledge },
        lost: named.map(asInterval).join(', '),
        lastGood: String(loss.lastGood),
      },
    },
  );
}

const timeOf = (point: bigint) => instantOf(String(point)).toISOString();

const inWords = ({ from, to, growing }: LostSpan) =>
  growing ? `from ${timeOf(from)} on` : `from ${timeOf(from)} to ${timeOf(to)}`;

const asInterval = ({ from, to, growing }: LostSpan) => `${timeOf(from)}/${growing ? '..' : timeOf(to)}`;
