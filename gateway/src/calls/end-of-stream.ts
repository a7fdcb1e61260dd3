import { AppError } from '@tidemark/errors/app-error';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { seesCluster } from '../authorize.ts';
import type { StreamLimits } from '../edge/stream-slots.ts';
import type { Caller } from '../identity/caller.ts';
import { toError } from '../to-error.ts';
import { unknownBackup } from './find-backup.ts';

export interface OpenStream {
  readonly backup: Pick<Backup, 'id' | 'clusterId'>;
  /** The caller as the token that opened the stream proves it now. @throws AppError as at first */
  readonly authenticateAgain: () => Promise<Caller>;
  readonly limits: Pick<StreamLimits, 'streamMs' | 'heartbeatMs'>;
  /** Aborts when the stream is over. */
  readonly until: AbortSignal;
}

/** How a stream ends that has lasted as long as one may. */
export function streamIsOver(): AppError {
  return new AppError('unavailable', 'A stream lasts no longer; call again.');
}

/**
 * Aborts, with the error that says why, when a stream has lasted for as long as one may, or when the token that opened it
 * is good no longer or does not see the backup any more.
 */
export function endOfStream({ backup: { id, clusterId }, authenticateAgain, limits, until }: OpenStream): AbortSignal {
  const end = new AbortController();
  if (until.aborted) return end.signal;
  const look = async () => {
    try {
      if (!seesCluster(await authenticateAgain(), clusterId)) end.abort(unknownBackup(id));
    } catch (thrown) {
      const error = toError(thrown);
      if (error.row.http === 401) end.abort(error);
    }
  };
  const looks = setInterval(() => void look(), limits.heartbeatMs).unref();
  const timer = setTimeout(() => end.abort(streamIsOver()), limits.streamMs).unref();
  until.addEventListener(
    'abort',
    () => {
      clearInterval(looks);
      clearTimeout(timer);
    },
    { once: true },
  );
  return end.signal;
}
