import { invalidArgument } from '@tidemark/errors/app-error';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { Restore } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import type { RequestOf, Steps } from './steps.ts';

export const readBackupLog: Steps<'readBackupLog'> = {
  prepare: (request, { backup }) => requireAttempt(request, backup),
};

/**
 * The service refuses it too, but a stream that has begun can refuse nothing.
 *
 * @throws AppError `invalid_argument` for an attempt that was never made, unless it is followed and may still come
 */
export function requireAttempt(
  { attempt, follow }: Pick<RequestOf<'readBackupLog'>, 'attempt' | 'follow'>,
  record: Pick<Backup | Restore, 'attempts' | 'endTime'> | undefined,
): void {
  const last = record?.attempts.length ?? 0;
  const mayCome = follow && record?.endTime === undefined;
  if (attempt > last && !mayCome)
    throw invalidArgument([{ field: 'attempt', description: `must be one of the ${last} that there were` }]);
}
