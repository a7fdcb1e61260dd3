import { isHeldBy, requeued, type WithTask } from '@tidemark/task/task';
import { plus } from '@tidemark/task/time';
import type { Backup, Deletion, HandBack, Leftover, Reason } from '../backup.ts';
import { type Command, type Decision, type Limits, LOST, type Moved, OK, type Outcome, type Peer } from './command.ts';
import { gaveBack, pauseAfter, saidByAll, withHandBack, withoutHandBacks } from './hand-back.ts';
import { ranWithoutLock, removeTask } from './vocabulary.ts';

const MINUTE_MS = 60_000;
const LONGEST_RETRY_MS = 60 * MINUTE_MS;
const MOST_DOUBLINGS = 10;

/** Ends a claim of the remove task. Removals open no attempt, so a repeat is LOST and the worker forgets (T5). */
export function completeRemoval(
  backup: Backup,
  command: Extract<Command, { kind: 'complete' }>,
  now: Date,
  limits: Limits,
): Decision {
  const { claim, outcome, peers = [], elsewhere, moved } = command;
  if (!isHeldBy(backup, command)) return gaveBack(backup, claim) && outcome.kind === 'wait' ? OK : LOST;
  switch (outcome.kind) {
    case 'removed':
      return {
        answer: { kind: 'ok' },
        next: withoutHandBacks(afterRemoval(backup, outcome, { elsewhere, moved }, now, limits)),
      };
    case 'removeFailed':
      return { answer: { kind: 'ok' }, next: removeFailed(backup, outcome.reason, elsewhere, now) };
    case 'wait':
      if (outcome.handBack) {
        const { worker = '' } = backup.task;
        const { notStarted: _, ...handBack } = outcome.handBack;
        const handed = { ...handBack, worker, claim, at: now, reason: outcome.reason };
        return { answer: { kind: 'ok' }, next: handedBack(backup, handed, peers, elsewhere, now, limits) };
      }
      return { answer: { kind: 'ok' }, next: { ...backup, task: requeued(backup.task, now, outcome.waitMs) } };
    default:
      return { answer: { kind: 'refused', why: 'wrongPair' } };
  }
}

const FILES_GONE: Reason = {
  code: 'FILES_GONE',
  message:
    'Nothing of this good backup was found, although nobody had begun to remove it: is the storage mounted, and is it the right one? It is looked at again. If the files are gone for good, an admin forgets the backup.',
};

const isUnderWay = ({ state }: Deletion) => state === 'Requested' || state === 'Deleting';

const notCopied = ({ from }: Moved): Reason => ({
  code: FILES_GONE.code,
  message: `Nothing of this backup was found where its storage was moved to, although nobody had begun to remove it there: was it copied? It may remain in ${from}, where nobody looks any more. It is looked at again. If the files are gone for good, an admin forgets the backup.`,
});

/**
 * What is not there counts as removed, but for the files of a good backup that nobody announced to remove, and for those
 * that may lie where the storage was before: an announcement counts for the place in which it was made.
 */
function afterRemoval(
  backup: WithTask<Backup>,
  outcome: Extract<Outcome, { kind: 'removed' }>,
  { elsewhere, moved }: Pick<Extract<Command, { kind: 'complete' }>, 'elsewhere' | 'moved'>,
  now: Date,
  limits: Limits,
): Backup {
  const isMissing = (path: string) =>
    outcome.empty?.includes(path) &&
    backup.leftovers.some(
      (leftover) => leftover.path === path && (leftover.untouched || (moved && mayLieBefore(backup, leftover, moved))),
    );
  const proven = outcome.paths.filter((path) => !isMissing(path));
  const whole = proven.length === outcome.paths.length;
  const next = removed(backup, { ...outcome, paths: proven }, whole, now, limits);
  if (whole) return next;
  return removeFailed({ ...next, task: backup.task }, moved ? notCopied(moved) : FILES_GONE, elsewhere, now);
}

/** Whether files may lie where the storage was before: some were written before the move, and nobody removed any since. */
function mayLieBefore(backup: Backup, { path, announcedAt }: Leftover, { at }: Moved): boolean {
  if (announcedAt && announcedAt > at) return false;
  const wrote = backup.attempts.filter((attempt) => attempt.path === path && attempt.argv !== undefined);
  // Of a record that was rebuilt no attempt is known.
  const rebuilt = backup.state === 'Succeeded' && backup.path === path && wrote.length === 0;
  return rebuilt || wrote.some(({ startedAt }) => startedAt <= at);
}

/** @param whole nothing was missing: else the deletion is not done, so that the backup can be forgotten */
function removed(
  backup: Backup,
  { paths, bytes, remark }: Extract<Outcome, { kind: 'removed' }>,
  whole: boolean,
  now: Date,
  limits: Limits,
): Backup {
  const leftovers = backup.leftovers.flatMap((leftover): Leftover[] => {
    // A stray that came meanwhile set a later `after`: the path has to be listed again.
    if (!paths.includes(leftover.path) || leftover.after > now) return [leftover];
    return ranWithoutLock(backup, leftover.path) && !leftover.listedOnce
      ? [{ ...leftover, listedOnce: true, after: plus(now, limits.unlockedQuietMs) }]
      : [];
  });
  const freed = { ...backup.deletion, bytes: (backup.deletion.bytes ?? 0) + bytes, ...(remark && { remark }) };
  const gone = whole && isUnderWay(backup.deletion) && !leftovers.some(({ path }) => path === backup.path);
  const { error: _, errorCode: __, ...clean } = freed;
  return {
    ...backup,
    leftovers,
    task: removeTask(leftovers, backup.task),
    ...(isUnderWay(backup.deletion) && { deletion: freed }),
    ...(gone && { deletion: { ...clean, state: 'Deleted' as const }, deleteTime: now }),
  };
}

/** Another worker may remove it; where none can, that is reported as any failure of a removal (H3). */
function handedBack(
  backup: WithTask<Backup>,
  handed: Omit<HandBack, 'times'>,
  peers: readonly Peer[],
  elsewhere: string | undefined,
  now: Date,
  limits: Limits,
): Backup {
  const kept = { ...withHandBack(backup, handed), task: backup.task };
  const last = kept.handBacks.at(-1);
  if (!last) return kept;
  const all = saidByAll(kept, peers, last, now);
  if (all) return withoutHandBacks(removeFailed(kept, all.reason, elsewhere, now));
  return { ...kept, task: requeued(kept.task, now, pauseAfter(last.times, limits.handBackMs)) };
}

/** @param elsewhere a sentence about where the storage is today, where that is another place */
function removeFailed(
  backup: WithTask<Backup>,
  { code, message, detail }: Reason,
  elsewhere: string | undefined,
  now: Date,
): Backup {
  const { tries } = backup.task;
  const delayMs = Math.min(LONGEST_RETRY_MS, MINUTE_MS * 2 ** Math.min(tries, MOST_DOUBLINGS));
  return {
    ...backup,
    task: requeued({ ...backup.task, tries: tries + 1 }, now, delayMs),
    deletion: {
      ...backup.deletion,
      error: [[message, elsewhere].filter(Boolean).join(' '), detail].filter(Boolean).join('\n'),
      errorCode: code,
      ...(isUnderWay(backup.deletion) && { state: 'DeleteFailed' as const }),
    },
  };
}
