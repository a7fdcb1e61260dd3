import type { TargetLook as LookMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type { TargetLook } from './cleanup.ts';

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
    collection: collection && { off: [...collection.off], unseen: collection.unseen },
  };
}
