import { AppError } from '@tidemark/errors/app-error';
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
  /** Puts a step before all others, or in the place of the one that was put there before. */
  head(step: CheckStep): void;
  /** Does a step and times it; its answer, or why it failed, is the step's sentence. Answers whether it was fine. */
  run(name: string, act: () => Promise<string>): Promise<boolean>;
}

const MOST_KEPT = 1_000;
/** All kept steps together must fit into a message of gRPC. */
const LONGEST_TEXT = 600;

const cut = (step: CheckStep): CheckStep => ({ ...step, message: step.message.slice(0, LONGEST_TEXT) });

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'The worker is not allowed to: look at the owner and the permissions of the folder.',
  EPERM: 'The worker is not allowed to: look at the owner and the permissions of the folder.',
  EROFS: 'The storage is mounted read-only.',
  ENOSPC: 'The storage is full.',
  EDQUOT: 'The quota of the storage is used up.',
  ESTALE: 'The mount is stale: mount it again.',
};

export function createCheckSteps(): CheckSteps {
  const kept: CheckStep[] = [];
  let first: CheckStep | undefined;
  let total = 0;
  let ok = true;
  const add = (step: CheckStep) => {
    total += 1;
    ok &&= step.ok;
    if (kept.length < MOST_KEPT) kept.push(cut(step));
  };
  return {
    get kept() {
      return first ? [first, ...kept.slice(0, MOST_KEPT - 1)] : kept;
    },
    get total() {
      return first ? total + 1 : total;
    },
    get ok() {
      return ok && first?.ok !== false;
    },
    add,
    head(step) {
      first = step;
    },
    async run(name, act) {
      const startedAt = performance.now();
      const done = (fine: boolean, message: string) => {
        add({ name, ok: fine, message, seconds: (performance.now() - startedAt) / 1000 });
        return fine;
      };
      try {
        return done(true, await act());
      } catch (error) {
        return done(false, sentenceOf(error));
      }
    },
  };
}

/** What people are told of an error of a storage. */
export function sentenceOf(error: unknown): string {
  if (error instanceof AppError) return error.message;
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'The storage did not answer in time.';
  const advice = ADVICE[(error as NodeJS.ErrnoException).code ?? ''];
  return advice ? `${advice} (${error.message})` : error.message;
}
