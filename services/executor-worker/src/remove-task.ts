/**
 * Removes the files of paths that are no backup any more.
 *
 * T10. Only granted leftovers are removed, by listing, and each only below its own path.
 * T11. A path whose `br` may still live by its own lock is not touched; the removal waits.
 * Before the first file of a path goes, that is announced: so that whoever finds nothing of a good backup, of which nobody
 * announced anything, is known to look in the wrong place.
 * Order: `backupmeta` first, so that nobody restores half a backup; `backup.lock` last, so that no other `br` takes the
 * path meanwhile; then it is listed again, and what is left is a failure that is reported and tried again.
 * What was listed again and is gone is removed, whatever a store answers to the questions that come after: what it does
 * not say becomes a remark.
 */

import { BACKUPMETA } from '@tidemark/backupmeta/backupmeta';
import { AppError } from '@tidemark/errors/app-error';
import { MAX_REMOVAL_FAILURES } from '@tidemark/limits/limits';
import type { Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { RemoveGrant, TaskRef } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Env } from '@tidemark/service-kit/env';
import { type BackupFiles, backupFilesIn } from '@tidemark/storage/backup-files';
import type { RemovalFailure, StorageFiles } from '@tidemark/storage/storage-files';
import { requireSoundPlace } from './br/check-grant.ts';
import { lockedForMs } from './br/checkpoint-lock.ts';
import type { Outcome, TaskCompletion } from './completion.ts';
import type { TaskFacts } from './events.ts';
import type { Lease } from './lease-keeper.ts';
import { log } from './logger.ts';
import { type Reach, type Trouble, troubleOf } from './reach.ts';
import { openKnownStorage, requireKnown, rootOf } from './storage/marker.ts';

const BACKUP_LOCK = 'backup.lock';
const LOCK_MARGIN_SECONDS = 5;
/** For a backup-service that does not know the pauses between workers. */
const AWAY_SECONDS = 60;
const BATCH = 1_000;

export interface GrantedRemoval {
  readonly task: TaskRef;
  readonly grant: RemoveGrant;
  readonly facts: TaskFacts;
  readonly lease: Lease;
}

/** Removes what was granted; answers how it ended, for the log. */
export async function runRemoveTask(
  { task, grant, facts, lease }: GrantedRemoval,
  {
    completion,
    drain,
    env,
    reach,
    instance = '',
  }: {
    readonly completion: Pick<TaskCompletion, 'complete' | 'release'>;
    readonly drain: AbortSignal;
    readonly env: Env;
    readonly reach?: Pick<Reach, 'failed'>;
    /** Of this run of the worker. */
    readonly instance?: string;
  },
): Promise<string> {
  const signal = AbortSignal.any([lease.lost, drain]);
  let outcome: Outcome;
  try {
    outcome = await removePaths(grant, env, signal, lease);
  } catch (error) {
    if (lease.lost.aborted) return 'lost';
    if (drain.aborted) return `released: ${await completion.release(task, facts.requestId)}`;
    log.warn({ ...facts, error }, 'a path could not be removed; the removal is tried again');
    const message = (error instanceof Error ? error.message : String(error)).toWellFormed();
    const reason = { code: 'REMOVE_FAILED', message: `The files could not be removed: ${message}`, detail: '' };
    const trouble = troubleOf(error);
    if (trouble) reach?.failed(known(grant), grant.storageDigest, trouble);
    outcome = trouble && grant.storageDigest !== '' ? handBack(reason, instance, trouble) : removeFailed(reason);
  }
  const answer = await completion.complete(task, outcome, facts.requestId);
  return answer === 'held' ? (outcome?.$case ?? 'nothing') : answer;
}

/**
 * Removes paths, each as `removePath` does.
 *
 * @returns how that ended, or for how long it is to wait
 * @throws AppError where the storage is away, or was meanwhile
 */
export async function removePaths(
  grant: Pick<RemoveGrant, 'storage' | 'marker' | 'paths'>,
  env: Env,
  signal: AbortSignal,
  lease: Pick<Lease, 'announceRemoval'>,
): Promise<Outcome> {
  const { storage, paths } = grant;
  // All were made busy again between the grant and a repeat of its claim.
  if (paths.length === 0) return { $case: 'removed', value: { paths: [], bytes: 0n, remark: '', empty: [] } };
  for (const path of paths) requireSoundPlace({ storage, path });
  const stored = await openKnownStorage(known(grant), env, { signal });
  let bytes = 0n;
  const removed: string[] = [];
  const empty: string[] = [];
  const remarks = new Set<string>();
  for (const path of paths) {
    const files = await backupFilesIn(stored, path);
    const lockedMs = await lockedForMs(files, signal);
    if (lockedMs > 0) {
      if (removed.length > 0) break; // what is done is reported; the rest comes with the next claim
      const reason = { code: 'PATH_LOCKED', message: 'A br may still be at work in this path.', detail: '' };
      return { $case: 'wait', value: { seconds: lockedMs / 1000 + LOCK_MARGIN_SECONDS, reason, handBack: undefined } };
    }
    const result = await removePath(files, path, signal, () => lease.announceRemoval([path], signal));
    if (result.kind === 'failed') return removeFailed(result.reason);
    bytes += result.bytes;
    remarks.add(result.remark);
    removed.push(path);
    if (result.count === 0) empty.push(path);
  }
  // Where the share went meanwhile, nothing is listed any more, and all would seem removed; where it came back, the files are there again.
  await requireKnown(known(grant), stored, { signal });
  if (stored.localRoot !== undefined) for (const path of removed) await requireGone(path, stored, signal);
  const { versions, lock } = await stored.traits(signal);
  const remark = [versions, lock, ...remarks].filter((sentence) => sentence !== '').join(' ');
  // Space of which it is not known that it is free is not claimed.
  return { $case: 'removed', value: { paths: removed, bytes: versions === '' ? bytes : 0n, remark, empty } };
}

/** @throws AppError `unavailable` where anything lies in a path that was removed */
async function requireGone(path: string, stored: StorageFiles, signal: AbortSignal): Promise<void> {
  for await (const { name } of stored.list(path, signal))
    throw new AppError(
      'unavailable',
      `${path} was removed, and ${name} is there: the storage may have been away meanwhile; it is tried again.`,
    );
}

/** All paths of a backup have the root of its time. */
const known = ({ storage, marker, paths }: Pick<RemoveGrant, 'storage' | 'marker' | 'paths'>) => ({
  storage,
  marker,
  root: rootOf(paths[0] ?? ''),
});

type PathResult =
  | {
      readonly kind: 'removed';
      /** How many files there were, and their size. */
      readonly count: number;
      readonly bytes: bigint;
      /** What may be left beside the files, in a sentence; empty when nothing is. */
      readonly remark: string;
    }
  | { readonly kind: 'failed'; readonly reason: Reason };

/**
 * Removes one path and proves it gone. However many files there are, only a batch of their names is held at a time.
 *
 * @param announce called before the first file is removed, where there are any
 */
export async function removePath(
  files: BackupFiles,
  path: string,
  signal: AbortSignal,
  announce: () => Promise<void> = async () => undefined,
): Promise<PathResult> {
  const found = { count: 0, bytes: 0n, meta: false };
  for await (const { name, bytes } of files.list(signal)) {
    found.count++;
    found.bytes += BigInt(bytes);
    found.meta ||= name === BACKUPMETA;
  }
  if (found.count > 0) await announce();
  const filesLeft = (count: number, first: string, failures: readonly RemovalFailure[]): PathResult => ({
    kind: 'failed',
    reason: {
      code: 'FILES_LEFT',
      message: `${count} of ${found.count} files of ${path} could not be removed, among them ${first.toWellFormed()}; it is tried again.`,
      detail: failures.map(({ name, why }) => `${name}: ${why}`.toWellFormed()).join('\n'),
    },
  });

  if (found.meta) {
    // While it stays, the backup can be restored: so nothing else is taken from it.
    const failures = await files.remove([BACKUPMETA], signal);
    if (failures.length > 0) return filesLeft(found.count, BACKUPMETA, failures);
  }
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const { seen, first, removed, failures } = await removeRound(files, signal);
    if (seen === 0) break;
    // Also files that were "removed" and are listed all the same must come to an end.
    if (removed === 0 || seen >= before) return filesLeft(seen, failures[0]?.name ?? first, failures);
    before = seen;
  }
  const remark = await files.finishRemoval(signal);
  return { kind: 'removed', count: found.count, bytes: found.bytes, remark };
}

interface Round {
  /** How many files were there. */
  readonly seen: number;
  readonly first: string;
  readonly removed: number;
  /** The first of those that could not be removed. */
  readonly failures: readonly RemovalFailure[];
}

/** Removes what is listed; the lock only when it is alone. */
async function removeRound(files: BackupFiles, signal: AbortSignal): Promise<Round> {
  const round = { seen: 0, first: '', removed: 0, failures: [] as RemovalFailure[] };
  let lock = false;
  let batch: string[] = [];
  const removeBatch = async () => {
    const failures = await files.remove(batch, signal);
    round.removed += batch.length - failures.length;
    round.failures.push(...failures.slice(0, MAX_REMOVAL_FAILURES - round.failures.length));
    batch = [];
  };
  for await (const { name } of files.list(signal)) {
    round.seen++;
    if (name === BACKUP_LOCK) {
      lock = true;
      continue;
    }
    round.first ||= name;
    batch.push(name);
    if (batch.length === BATCH) await removeBatch();
  }
  if (lock && round.seen === 1) batch.push(BACKUP_LOCK);
  if (batch.length > 0) await removeBatch();
  return round;
}

/** Another worker may reach the storage. */
function handBack(reason: Reason, instance: string, { passing }: Trouble): Outcome {
  const value = { instance, passing, storage: true, notStarted: false };
  return { $case: 'wait', value: { seconds: AWAY_SECONDS, reason, handBack: value } };
}

function removeFailed(reason: Reason): Outcome {
  return { $case: 'removeFailed', value: { reason } };
}
