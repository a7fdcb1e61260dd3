import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import type { StrategyStore } from '../strategy-store.ts';

/** What the handlers of this service work with. */
export interface Dependencies {
  readonly store: StrategyStore;
  /** Database time. */
  readonly now: () => Date;
  /** For a cluster and a request that name none. */
  readonly timeZone: string;
  readonly spreadMs: number;
}

const ID = /^[A-Za-z0-9_-]{1,64}$/;

/** @throws AppError `invalid_argument` when a cluster or rule is not named properly; an empty rule is fine */
export function requireNames(clusterId: string, rule: string): void {
  const description = 'must be 1 to 64 letters, digits, underscores or dashes';
  const violations: FieldViolation[] = [];
  if (!ID.test(clusterId)) violations.push({ field: 'clusterId', description });
  if (rule !== '' && !ID.test(rule)) violations.push({ field: 'rule', description });
  if (violations.length > 0) throw invalidArgument(violations);
}
