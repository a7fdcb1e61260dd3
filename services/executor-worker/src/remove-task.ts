/**
 * Removes the files of paths that are no backup any more.
 *
 * T10. Only granted leftovers are removed, by listing, and each only below its own path.
 * T11. A path whose `br` may still live by its own lock is not touched; the removal waits.
 * Order: `backupmeta` first, so that nobody restores half a backup; `backup.lock` last, so that no other `br` takes the
 * path meanwhile; then it is listed again, and what is left is a failure that is told and tried again.
 */
import type { Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { RemoveGrant, TaskRef } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { BACKUPMETA } from './br/backupmeta.ts';
import { lockedForMs } from './br/checkpoint-lock.ts';
import type { EndOfTask, Outcome } from './end-of-task.ts';
import type { TaskFacts } from './events.ts';
import type { Lease } from './lease-keeper.ts';
import { log } from './logger.ts';
import { type BackupFiles, openBackupFiles } from './storage/backup-files.ts';

const BACKUP_LOCK = 'backup.lock';
const LOCK_MARGIN_SECONDS = 5;
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
  { end, drain }: { readonly end: EndOfTask; readonly drain: AbortSignal },
): Promise<string> {
  const signal = AbortSignal.any([lease.lost, drain]);
  let outcome: Outcome;
  try {
    outcome = await removePaths(grant, signal);
  } catch (error) {
    if (lease.lost.aborted) return 'lost';
    if (drain.aborted) return `released: ${await end.release(task, facts.requestId)}`;
    log.warn({ ...facts, error }, 'a path could not be removed; the removal is tried again');
    const message = error instanceof Error ? error.message : String(error);
    outcome = removeFailed({
      code: 'REMOVE_FAILED',
      message: `The files could not be removed: ${message}`,
      detail: '',
    });
  }
  const answer = await end.complete(task, outcome, facts.requestId);
  return answer === 'held' ? (outcome?.$case ?? 'nothing') : answer;
}

async function removePaths({ storage, paths }: RemoveGrant, signal: AbortSignal): Promise<Outcome> {
  let bytes = 0n;
  const removed: string[] = [];
  for (const path of paths) {
    const files = await openBackupFiles(storage, path);
    const lockedMs = await lockedForMs(files, signal);
    if (lockedMs > 0) {
      if (removed.length > 0) break; // told of what is done; the rest comes with the next claim
      const reason = { code: 'PATH_LOCKED', message: 'A br may still be at work in this path.', detail: '' };
      return { $case: 'wait', value: { seconds: lockedMs / 1000 + LOCK_MARGIN_SECONDS, reason } };
    }
    const result = await removePath(files, path, signal);
    if (result.kind === 'failed') return removeFailed(result.reason);
    bytes += result.bytes;
    removed.push(path);
  }
  return { $case: 'removed', value: { paths: removed, bytes } };
}

type PathResult =
  | { readonly kind: 'removed'; readonly bytes: bigint }
  | { readonly kind: 'failed'; readonly reason: Reason };

/** Removes one path and proves it gone. */
export async function removePath(files: BackupFiles, path: string, signal: AbortSignal): Promise<PathResult> {
  let bytes = 0n;
  const why: string[] = [];
  const remove = async (names: readonly string[]) => {
    const failures = await files.remove(names, signal);
    why.push(...failures.map((failure) => `${failure.name}: ${failure.why}`));
  };

  const found: string[] = [];
  for await (const file of files.list(signal)) {
    found.push(file.name);
    bytes += BigInt(file.bytes);
  }
  if (found.includes(BACKUPMETA)) await remove([BACKUPMETA]);
  const middle = found.filter((name) => name !== BACKUPMETA && name !== BACKUP_LOCK);
  for (let from = 0; from < middle.length; from += BATCH) await remove(middle.slice(from, from + BATCH));
  if (why.length === 0 && found.includes(BACKUP_LOCK)) await remove([BACKUP_LOCK]);

  const left: string[] = [];
  for await (const { name } of files.list(signal)) left.push(name);
  if (left.length > 0)
    return {
      kind: 'failed',
      reason: {
        code: 'FILES_LEFT',
        message: `${left.length} of ${found.length} files of ${path} could not be removed, among them ${left[0]}; it is tried again.`,
        detail: why.slice(0, 10).join('\n'),
      },
    };
  await files.finishRemoval(signal);
  return { kind: 'removed', bytes };
}

function removeFailed(reason: Reason): Outcome {
  return { $case: 'removeFailed', value: { reason } };
}
