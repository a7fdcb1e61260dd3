/** What a worker reported of itself, and what follows from it; pure. */
import { createHash } from 'node:crypto';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Reason, StorageSnapshot } from './backup.ts';
import type { Peer } from './decide/command.ts';
import { toSnapshotMessage } from './registry-message.ts';

/** A storage that a worker cannot reach, as it was in a task. */
export interface OutOfReach {
  readonly storageId: string;
  readonly digest: string;
  /** It may pass without a person, as when a network is down. */
  readonly passing: boolean;
  readonly reason: Reason;
  readonly since: Date;
}

/** A task or a check that a worker is at. */
export interface RunningWork {
  readonly kind: string;
  readonly id: string;
  readonly clusterId: string;
  readonly since: Date;
}

/** A run of a worker, as it was last reported. */
export interface Presence {
  /** Of this run of the worker. */
  readonly _id: string;
  readonly worker: string;
  /** Absent of a worker of before this field. */
  readonly host?: string;
  readonly pool: string;
  readonly slots: number;
  readonly freeSlots: number;
  readonly brVersions: readonly string[];
  readonly running: readonly RunningWork[];
  readonly draining: boolean;
  readonly outOfReach: readonly OutOfReach[];
  /** When it was first heard of. */
  readonly firstSeenAt: Date;
  readonly seenAt: Date;
}

/** After three reports that did not come, a worker counts as gone. */
export const STALE_MS = 35_000;

/** Those that were not replaced: a run of the same name that began after one was last heard is the one that came for it. */
export function withoutReplaced(present: readonly Presence[]): Presence[] {
  return present.filter(
    (one) => !present.some((other) => other.worker === one.worker && other.firstSeenAt > one.seenAt),
  );
}

/** Names a storage as a task has it: one that was corrected meanwhile is another. */
export function digestOf(storage: StorageSnapshot): string {
  const message = toSnapshotMessage({ ...storage, maxConcurrent: 0 });
  return createHash('sha256').update(Storage.encode(message).finish()).digest('base64url').slice(0, 22);
}

/** How a row of the table sees the present workers of a pool, for a task with that storage. */
export function toPeers(present: readonly Presence[], digest: string): Peer[] {
  return present
    .filter(({ draining, slots }) => !draining && slots > 0)
    .map(({ _id, worker, freeSlots, outOfReach }) => {
      const away = outOfReach.find((one) => one.digest === digest);
      return {
        instance: _id,
        worker,
        free: freeSlots > 0,
        ...(away && { outOfReach: { passing: away.passing, reason: away.reason } }),
      };
    });
}
