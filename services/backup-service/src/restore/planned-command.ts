import { restoreArguments, withRateLimit } from '@tidemark/br-restore/command';
import type { Presence } from '../presence.ts';
import { toSnapshotMessage } from '../registry-message.ts';
import type { Plan } from './plan.ts';
import { fittingOf, neededFor, versionsIn } from './worker-check.ts';

/** What a worker would run. */
export interface PlannedCommand {
  /** Such as v8.5.0. */
  readonly brVersion: string;
  /** Of `br`, without its log file; no argument holds a secret. */
  readonly argv: readonly string[];
}

/**
 * The command line of a restore by the `br` that the workers of the target's pool have, as they reported last: the very one that a worker
 * builds. Undefined where none fits. Pure.
 */
export function plannedCommand(plan: Plan, present: readonly Presence[]): PlannedCommand | undefined {
  const brVersion = fittingOf(versionsIn(present), neededFor(plan));
  if (brVersion === undefined) return undefined;
  const { source, target, options } = plan;
  const { rateLimit, withoutStats, waitTiflashReady, ...others } = options;
  const order = {
    source: { storage: toSnapshotMessage(source.storage), path: source.path, key: source.crypter },
    ...(source.point && {
      point: {
        tso: source.point.tso,
        storage: toSnapshotMessage(source.point.storage),
        path: source.point.path,
      },
    }),
    target: { pd: target.pd, tls: target.tls },
    options: { ...others, loadStats: !withoutStats, waitTiFlashReady: waitTiflashReady },
  };
  return { brVersion, argv: withRateLimit(restoreArguments(order, brVersion), rateLimit) };
}
