import {
  CheckKind as KindMessage,
  CheckState as StateMessage,
  type CheckStep as StepMessage,
  StorageCheck as StorageCheckMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type CheckKind, type CheckState, type CheckStep, MOST_STEPS, type StorageCheck } from './storage-check.ts';

const KINDS = {
  probe: KindMessage.CHECK_KIND_PROBE,
  rebuildDryRun: KindMessage.CHECK_KIND_REBUILD_DRY_RUN,
  rebuild: KindMessage.CHECK_KIND_REBUILD,
} as const satisfies Record<CheckKind, KindMessage>;

const STATES = {
  Queued: StateMessage.CHECK_STATE_QUEUED,
  Running: StateMessage.CHECK_STATE_RUNNING,
  Done: StateMessage.CHECK_STATE_DONE,
} as const satisfies Record<CheckState, StateMessage>;

const LONGEST_TEXT = 2_000;

export function toKindMessage(kind: CheckKind): KindMessage {
  return KINDS[kind];
}

/** A stored check as people see it. */
export function toCheckMessage(check: StorageCheck): StorageCheckMessage {
  return StorageCheckMessage.create({
    id: check._id,
    kind: toKindMessage(check.kind),
    storageId: check.storageId,
    pool: check.pool,
    state: STATES[check.state],
    ok: check.ok,
    steps: [...check.steps],
    totalSteps: check.totalSteps,
    worker: check.worker,
    createTime: check.createTime,
    endTime: check.endTime ?? undefined,
    createdBy: check.createdBy,
  });
}

/** What a worker found, cut to what a document can hold. */
export function fromStepMessages(steps: readonly StepMessage[]): CheckStep[] {
  return steps.slice(0, MOST_STEPS).map(({ name, ok, message, seconds }) => ({
    name: name.slice(0, LONGEST_TEXT),
    ok,
    message: message.slice(0, LONGEST_TEXT),
    seconds,
  }));
}
