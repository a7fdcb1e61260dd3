import { AppError, type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import type { FleetDependencies } from '../fleet-loop.ts';

/** What the handlers of this service work with. */
export interface Dependencies extends FleetDependencies {
  /** Has strategies for labels applied at once. */
  readonly wakeFleetLoop: () => void;
}

const ID = /^[A-Za-z0-9_-]{1,64}$/;
const NAME_RULE = 'must be 1 to 64 letters, digits, underscores or dashes';

/** @throws AppError `invalid_argument` when a cluster or rule is not named properly; an empty rule is fine */
export function requireNames(clusterId: string, rule: string): void {
  const violations: FieldViolation[] = [];
  if (!ID.test(clusterId)) violations.push({ field: 'clusterId', description: NAME_RULE });
  if (rule !== '' && !ID.test(rule))
    violations.push({ field: 'strategy.rule', description: `${NAME_RULE}, such as nightly` });
  if (violations.length > 0) throw invalidArgument(violations);
}

/** @throws AppError `invalid_argument` when a strategy for labels is not named properly */
export function requireName(name: string): void {
  if (!ID.test(name)) throw invalidArgument([{ field: 'name', description: `${NAME_RULE}, such as prod-nightly` }]);
}

export function unknownRule(clusterId: string, rule: string): AppError {
  return new AppError(
    'strategy_not_found',
    `The cluster ${clusterId} has no rule ${rule}; list its rules, or save one.`,
    {
      info: { clusterId, rule },
    },
  );
}

export function unknownFleetStrategy(name: string): AppError {
  return new AppError('strategy_not_found', `There is no strategy ${name} for labels.`, { info: { name } });
}
