import { MAX_CHECK_STEPS, MAX_KEPT_STEP_TEXT } from '@tidemark/limits/limits';
import {
  CheckKind as KindMessage,
  CheckState as StateMessage,
  type CheckStep as StepMessage,
  StorageCheck as StorageCheckMessage,
  type WorkerCheck,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type CheckKind, type CheckState, type CheckStep, isSilent, type StorageCheck } from './storage-check.ts';

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

export function toKindMessage(kind: CheckKind): KindMessage {
  return KINDS[kind];
}

/**
 * A stored check as people see it, with what its parts found: it is done when all of them are, and fine when each worker
 * that was heard found it so. Where only others found something wrong, the first of it is a step of the whole, too.
 */
export function toCheckMessage(whole: StorageCheck, found: readonly StorageCheck[] = []): StorageCheckMessage {
  const parts = found.filter(({ instance, part }) => (instance ?? part?.instance) !== (whole.instance ?? ''));
  const heard = whole.worker === '' ? parts : [whole, ...parts];
  const wrong = parts.filter((part) => part.state === 'Done' && !part.ok && !isSilent(part));
  // One that is not fine as it is says enough.
  const more = whole.ok ? wrong.map(firstWrong) : [];
  const done = [whole, ...parts].every(({ state }) => state === 'Done');
  const ends = [whole, ...parts].flatMap(({ endTime }) => endTime?.getTime() ?? []);
  const check: StorageCheck = {
    ...whole,
    state: done || whole.state !== 'Done' ? whole.state : 'Running',
    ok: whole.ok && wrong.length === 0,
    steps: [...whole.steps, ...more],
    totalSteps: whole.totalSteps + more.length,
    endTime: done && ends.length > 0 ? new Date(Math.max(...ends)) : null,
  };
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
    workers: whole.kind === 'probe' ? heard.map(toWorkerMessage) : [],
  });
}

function firstWrong({ worker, steps }: StorageCheck): CheckStep {
  const { name, message, seconds } = steps.find(({ ok }) => !ok) ?? { name: 'end', message: 'It failed.', seconds: 0 };
  return { name: `${name} (${worker})`, ok: false, message, seconds };
}

function toWorkerMessage({ worker, part, state, ok, steps }: StorageCheck): WorkerCheck {
  return { worker: worker || (part?.worker ?? ''), state: STATES[state], ok, steps: [...steps] };
}

/** What a worker found, cut to what a document can hold. */
export function fromStepMessages(steps: readonly StepMessage[]): CheckStep[] {
  return steps.slice(0, MAX_CHECK_STEPS).map(({ name, ok, message, seconds }) => ({
    name: name.slice(0, MAX_KEPT_STEP_TEXT),
    ok,
    message: message.slice(0, MAX_KEPT_STEP_TEXT),
    seconds,
  }));
}
