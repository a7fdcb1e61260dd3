import { CALLS, type CallName } from '@tidemark/contract/calls';
import { AppError } from '@tidemark/errors/app-error';
import { seesCluster } from '../authorize.ts';
import type { StreamLimits } from '../edge/stream-slots.ts';
import type { Caller } from '../identity/caller.ts';
import { toError } from '../to-error.ts';
import { unknownBackup } from './find-backup.ts';
import { seesRestore, unknownRestore } from './find-restore.ts';
import type { Acting } from './steps.ts';

/** The record that a stream is about, or the clusters that its caller saw when it began. */
type Subject = Pick<Acting, 'backup' | 'restore'> & { readonly seen?: readonly string[] | undefined };

/** What a stream is about, by which it ends. */
export function subjectOfStream(name: CallName, { backup, restore, scope }: Acting): Subject {
  return { backup, restore, seen: CALLS[name].subject === 'own clusters' ? scope.caller.clusters : undefined };
}

export interface OpenStream {
  readonly about: Subject;
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
 * is good no longer or does not see any more what the stream is about.
 */
export function endOfStream({ about, authenticateAgain, limits, until }: OpenStream): AbortSignal {
  const end = new AbortController();
  if (until.aborted) return end.signal;
  const look = async () => {
    try {
      const unseen = whyUnseen(await authenticateAgain(), about);
      if (unseen) end.abort(unseen);
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

/** As for what does not exist; undefined where the caller sees it. */
function whyUnseen(caller: Caller, { backup, restore, seen }: Subject): AppError | undefined {
  if (seen && (seen.length !== caller.clusters.length || seen.some((id) => !caller.clusters.includes(id))))
    return new AppError('unavailable', 'The clusters changed that this token is for; call again.');
  if (backup && !seesCluster(caller, backup.clusterId)) return unknownBackup(backup.id);
  if (restore && !seesRestore(caller, restore)) return unknownRestore(restore.id);
  return undefined;
}
