/**
 * Walks a storage for manifests and offers each to backup-service, which decides what becomes of it.
 *
 * The first step is the count of what was found; after it comes one step per manifest, named by its path, whose message
 * begins with the verdict. A folder that cannot be read is a step that failed, and the walk goes on.
 */

import { BACKUPMETA } from '@tidemark/backupmeta/backupmeta';
import { MANIFEST } from '@tidemark/backupmeta/seal';
import { AppError } from '@tidemark/errors/app-error';
import { isId } from '@tidemark/limits/id';
import {
  type CheckRef,
  type ExecutorServiceServer,
  ManifestVerdict,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { withTimeout } from '@tidemark/service-kit/abort';
import { sleep } from '@tidemark/service-kit/backoff';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { StorageFiles } from '@tidemark/storage/storage-files';
import { sentenceOf } from './check-steps.ts';
import type { CheckWork } from './check-work.ts';
import { openKnownStorage } from './storage/marker.ts';

export interface RebuildWork extends CheckWork {
  readonly client: Pick<ServiceClient<ExecutorServiceServer>, 'offerManifest'>;
  readonly check: CheckRef;
  readonly requestId: string;
  readonly callMs: number;
}

type Verdict = 'known' | 'missing' | 'rebuilt' | 'refused';

interface Finding {
  readonly verdict: Verdict | 'unreadable';
  readonly message: string;
}

const VERDICTS: Readonly<Partial<Record<ManifestVerdict, Verdict>>> = {
  [ManifestVerdict.MANIFEST_VERDICT_KNOWN]: 'known',
  [ManifestVerdict.MANIFEST_VERDICT_MISSING]: 'missing',
  [ManifestVerdict.MANIFEST_VERDICT_REBUILT]: 'rebuilt',
  [ManifestVerdict.MANIFEST_VERDICT_REFUSED]: 'refused',
};
const READ_MS = 30_000;
const RETRY_MS = 500;
const TRIES = 10;

/** Looks at every backup in the storage; what was found is in the steps. */
export async function runRebuildTask(work: RebuildWork): Promise<void> {
  const { storage, marker, env, steps, lost, drain } = work;
  const stop = AbortSignal.any([lost, drain]);
  const counts = { known: 0, missing: 0, rebuilt: 0, refused: 0, unreadable: 0, withoutManifest: 0 };
  const startedAt = performance.now();
  const count = () => {
    const seconds = (performance.now() - startedAt) / 1000;
    steps.head({ name: storage.root, ok: true, message: sentenceOfCounts(counts), seconds });
  };
  count();
  try {
    const known = { storage, marker, root: storage.root };
    const files = await openKnownStorage(known, env, { reading: true, signal: withTimeout(READ_MS, stop) });
    for await (const path of backupFolders(files, storage.root, stop)) {
      const began = performance.now();
      const finding = await look(work, files, path, stop);
      counts[finding?.verdict ?? 'withoutManifest'] += 1;
      count();
      if (!finding) continue;
      const { verdict, message } = finding;
      const ok = verdict !== 'refused' && verdict !== 'unreadable';
      steps.add({ name: path, ok, message: `${verdict}: ${message}`, seconds: (performance.now() - began) / 1000 });
    }
  } catch (error) {
    if (stop.aborted) throw error;
    steps.fail(storage.root, error);
  }
}

async function* backupFolders(files: StorageFiles, root: string, signal: AbortSignal): AsyncGenerator<string> {
  for await (const cluster of files.folders(root, signal)) {
    if (!isId(cluster)) continue; // not Tidemark's
    for await (const backup of files.folders(`${root}/${cluster}`, signal))
      if (backup.isWellFormed()) yield `${root}/${cluster}/${backup}`;
  }
}

/** What becomes of a folder; undefined when no manifest lies in it. */
async function look(
  work: RebuildWork,
  files: StorageFiles,
  path: string,
  stop: AbortSignal,
): Promise<Finding | undefined> {
  try {
    const manifest = await files.read(`${path}/${MANIFEST}`, withTimeout(READ_MS, stop));
    if (!manifest) return undefined;
    // A removal takes it first: what is left then is no backup any more.
    if (!(await files.find(`${path}/${BACKUPMETA}`, withTimeout(READ_MS, stop))))
      return { verdict: 'refused', message: `Its ${BACKUPMETA} is gone: the backup was removed, at least in part.` };
    return await offer(work, path, manifest, stop);
  } catch (error) {
    if (stop.aborted) throw error;
    return { verdict: 'unreadable', message: sentenceOf(error) };
  }
}

async function offer(
  { client, check, requestId, callMs }: RebuildWork,
  path: string,
  manifest: Buffer,
  stop: AbortSignal,
): Promise<Finding> {
  for (let tries = 1; ; tries += 1) {
    try {
      const options = { timeoutMs: callMs, requestId, signal: stop };
      const answer = await client.offerManifest({ check, path, manifest }, options);
      if (answer.standing === TaskStanding.TASK_STANDING_LOST) throw new Error('the check was lost');
      const verdict = VERDICTS[answer.verdict];
      if (!verdict) throw new Error('The verdict is one that this worker does not know; update the worker.');
      return { verdict, message: answer.message };
    } catch (error) {
      const passes = error instanceof AppError && error.row.retryable && tries < TRIES;
      if (!passes || stop.aborted) throw error;
      await sleep(RETRY_MS, stop);
    }
  }
}

function sentenceOfCounts(counts: Readonly<Record<Finding['verdict'] | 'withoutManifest', number>>): string {
  const { known, missing, rebuilt, refused, unreadable, withoutManifest } = counts;
  return `${known} known, ${missing} missing, ${rebuilt} rebuilt, ${refused} refused, ${unreadable} unreadable, ${withoutManifest} without a manifest`;
}
