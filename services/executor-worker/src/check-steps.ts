import { AppError } from '@tidemark/errors/app-error';
import { MAX_CHECK_STEP_TEXT, MAX_CHECK_STEPS } from '@tidemark/limits/limits';
import type { CheckStep } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';

/** What a check found so far. */
export interface CheckSteps {
  /** The first 1000, in the order in which they were done. */
  readonly kept: readonly CheckStep[];
  /** How many there were in all. */
  readonly total: number;
  /** Whether every step was fine, those that are not kept included. */
  readonly ok: boolean;
  add(step: CheckStep): void;
  /** Adds a step that failed; the error is its sentence. */
  fail(name: string, error: unknown, seconds?: number): void;
  /** Puts a step before all others, or in the place of the one that was put there before. */
  head(step: CheckStep): void;
  /** Does a step and times it; its answer, or why it failed, is the step's sentence. Answers whether it was fine. */
  run(name: string, act: () => Promise<string>): Promise<boolean>;
}

const cut = (step: CheckStep): CheckStep => ({ ...step, message: step.message.slice(0, MAX_CHECK_STEP_TEXT) });

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'The worker is not allowed to: look at the owner and the permissions of the folder.',
  EPERM: 'The worker is not allowed to: look at the owner and the permissions of the folder.',
  EROFS: 'The storage is mounted read-only.',
  ENOSPC: 'The storage is full.',
  EDQUOT: 'The quota of the storage is used up.',
  ESTALE: 'The mount is stale: mount it again.',
};

/** @param onFailed called with the error of each step that failed, which may say more than its sentence */
export function createCheckSteps(onFailed: (name: string, error: unknown) => void = () => undefined): CheckSteps {
  const kept: CheckStep[] = [];
  let first: CheckStep | undefined;
  let total = 0;
  let ok = true;
  const add = (step: CheckStep) => {
    total += 1;
    ok &&= step.ok;
    if (kept.length < MAX_CHECK_STEPS) kept.push(cut(step));
  };
  const fail = (name: string, error: unknown, seconds = 0) => {
    add({ name, ok: false, message: sentenceOf(error), seconds });
    onFailed(name, error);
  };
  return {
    get kept() {
      return first ? [first, ...kept.slice(0, MAX_CHECK_STEPS - 1)] : kept;
    },
    get total() {
      return first ? total + 1 : total;
    },
    get ok() {
      return ok && first?.ok !== false;
    },
    add,
    fail,
    head(step) {
      first = step;
    },
    async run(name, act) {
      const startedAt = performance.now();
      const seconds = () => (performance.now() - startedAt) / 1000;
      try {
        const message = await act();
        add({ name, ok: true, message, seconds: seconds() });
        return true;
      } catch (error) {
        fail(name, error, seconds());
        return false;
      }
    },
  };
}

/** What people see of an error of a storage. */
export function sentenceOf(error: unknown): string {
  if (error instanceof AppError) return error.message;
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'The storage did not answer in time.';
  const advice = ADVICE[(error as NodeJS.ErrnoException).code ?? ''];
  return advice ? `${advice} (${error.message})` : error.message;
}
