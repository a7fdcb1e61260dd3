import type {
  CollectionLook as CollectionMessage,
  TargetLook as LookMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type { TargetLook } from './cleanup.ts';
import type { CollectionLook } from './collection.ts';

/** A look at a target as it travels. */
export function toLookMessage({
  at,
  pausedSchedulers,
  safepointUntil,
  isRegistered,
  collection,
}: TargetLook): LookMessage {
  return {
    at,
    schedulers: pausedSchedulers && { names: [...pausedSchedulers] },
    safepoint: safepointUntil === undefined ? undefined : { until: safepointUntil ?? undefined },
    isRegistered,
    collection: collection && toCollectionMessage(collection),
  };
}

export function toCollectionMessage({ off, unseen }: CollectionLook): CollectionMessage {
  return { off: [...off], unseen };
}
