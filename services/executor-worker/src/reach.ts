/**
 * Which storages this worker cannot reach now, and why: what its claims and its presence say, so that their tasks go to
 * others.
 *
 * A1. A storage is out of reach from the moment at which a task failed for that, until a look at it succeeds: one of this
 *     module, which comes again and again, or a task's own.
 * A2. One that was corrected meanwhile is another: it is known by the digest that its task carries. What no task failed for
 *     since longer than any task pauses is no task's any more, and is forgotten.
 */
import { AppError } from '@tidemark/errors/app-error';
import { MAX_NAMED_STORAGES, MAX_OF_A_WORKER } from '@tidemark/limits/limits';
import type { StorageOutOfReach } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { withTimeout } from '@tidemark/service-kit/abort';
import type { Env } from '@tidemark/service-kit/env';
import { startLoop } from '@tidemark/service-kit/loop';
import { storageNotAsked, storageOutOfReach, storageReached } from './events.ts';
import { log } from './logger.ts';
import { type KnownStorage, openKnownStorage } from './storage/marker.ts';

/** Why a task cannot be done here although another worker may do it. */
export interface Trouble {
  readonly code: 'STORAGE_UNUSABLE' | 'STORAGE_AWAY';
  readonly message: string;
  /** It may pass without a person. */
  readonly passing: boolean;
}

export interface Reach extends AsyncDisposable {
  /** A task could not be done for that. */
  failed(known: KnownStorage, digest: string, trouble: Trouble): void;
  /** A task got through to the storage. */
  worked(digest: string): void;
  outOfReach(): StorageOutOfReach[];
  /** What is out of reach, as a sentence for `/readyz`; undefined while nothing is. */
  remark(): string | undefined;
}

interface Entry {
  readonly known: KnownStorage & { readonly storage: Storage };
  readonly trouble: Trouble;
  /** By `performance.now()`. */
  readonly since: number;
  /** When a task last failed for it. */
  readonly failedAt: number;
}

const LOOK_EVERY_MS = 10_000;
const LOOK_MS = 8_000;
/** A removal that fails is tried again after an hour at the latest. */
const FORGET_MS = 2 * 3_600_000;

/** What an error of a storage says about this worker; undefined where it says nothing. */
export function troubleOf(error: unknown): Trouble | undefined {
  if (!(error instanceof AppError)) return undefined;
  const { message } = error;
  if (error.code === 'storage_unusable') return { code: 'STORAGE_UNUSABLE', message, passing: false };
  return error.code === 'unavailable' ? { code: 'STORAGE_AWAY', message, passing: true } : undefined;
}

/** @param onChanged called when a storage is out of reach, or no longer */
export function createReach(
  env: Env,
  onChanged: () => void,
  { lookEveryMs = LOOK_EVERY_MS, forgetMs = FORGET_MS } = {},
): Reach {
  const entries = new Map<string, Entry>();

  const reached = (digest: string): void => {
    const entry = entries.get(digest);
    if (!entry) return;
    entries.delete(digest);
    storageReached(entry.known.storage.id, entries.size);
    onChanged();
  };
  const forget = (digest: string): void => {
    const entry = entries.get(digest);
    if (!entry) return;
    entries.delete(digest);
    storageNotAsked(entry.known.storage.id, entries.size);
    onChanged();
  };
  const look = async ({ known, failedAt }: Entry, digest: string, stop: AbortSignal): Promise<void> => {
    if (performance.now() - failedAt > forgetMs) return forget(digest);
    const signal = withTimeout(LOOK_MS, stop);
    try {
      const files = await openKnownStorage(known, env, { answerMs: LOOK_MS, signal });
      for await (const _ of files.folders(known.storage.root, signal)) break;
      reached(digest);
    } catch (error) {
      stop.throwIfAborted();
      const entry = entries.get(digest);
      const now = troubleOf(error);
      if (now && entry) entries.set(digest, { ...entry, trouble: now });
    }
  };
  const loop = startLoop({
    name: 'look for storages out of reach',
    everyMs: lookEveryMs,
    log,
    async run(signal) {
      await Promise.all([...entries].map(([digest, entry]) => look(entry, digest, signal)));
      return false;
    },
  });

  return {
    failed({ storage, root, marker }, digest, trouble) {
      if (!storage || digest === '') return;
      const known = { storage, root, marker };
      const failedAt = performance.now();
      const since = entries.get(digest)?.since ?? failedAt;
      const isNew = entries.delete(digest) === false;
      entries.set(digest, { known, trouble, since, failedAt });
      for (const oldest of [...entries.keys()].slice(0, Math.max(0, entries.size - MAX_OF_A_WORKER)))
        entries.delete(oldest);
      if (!isNew) return;
      storageOutOfReach(storage.id, trouble.message, entries.size);
      onChanged();
      loop.wake(); // what was wrong may be with that one path
    },
    worked: reached,
    outOfReach: () =>
      [...entries].map(([storageDigest, { known, trouble, since }]) => ({
        storageId: known.storage.id,
        storageDigest,
        reason: { code: trouble.code, message: trouble.message, detail: '' },
        passing: trouble.passing,
        seconds: (performance.now() - since) / 1_000,
      })),
    remark() {
      if (entries.size === 0) return undefined;
      const named = [...entries.values()].slice(0, MAX_NAMED_STORAGES);
      const more = entries.size > MAX_NAMED_STORAGES ? ` And ${entries.size - MAX_NAMED_STORAGES} more.` : '';
      return `${named.map(({ known, trouble }) => `${known.storage.id}: ${trouble.message}`).join(' ')}${more}`;
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}
