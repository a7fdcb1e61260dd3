/** Keeps the picture of the fleet fresh and applies retention where something changed, and to all every hour. */
import { AppError } from '@tidemark/errors/app-error';
import { type Loop, startLoop } from '@tidemark/service-kit/loop';
import { applyRetention } from './apply-retention.ts';
import type { Backends } from './backends.ts';
import type { Fleet } from './fleet.ts';
import { fleetLog } from './logger.ts';

export interface FleetLoopDependencies {
  readonly fleet: Fleet;
  readonly backends: Backends;
  /** Database time. */
  readonly now: () => Date;
  /** How often changes are asked for. */
  readonly refreshMs: number;
  /** How often everything is taken in anew. */
  readonly rebuildMs: number;
  /** How often retention is applied to clusters of which nothing changed: time passes for them too. */
  readonly retentionMs: number;
}

/** Starts it; the first round takes everything in. */
export function startFleetLoop(dependencies: FleetLoopDependencies): Loop {
  const { fleet, refreshMs, rebuildMs, retentionMs } = dependencies;
  const waiting = new Set<string>();
  let rebuiltAt: number | undefined;
  let appliedAt: number | undefined;

  return startLoop({
    name: 'fleet-loop',
    everyMs: refreshMs,
    log: fleetLog,
    async run(signal) {
      if (isDue(rebuiltAt, rebuildMs)) {
        // What changed since the last refresh would be lost to retention with the old cursor.
        if (rebuiltAt !== undefined) await fleet.refresh(waiting, signal);
        await fleet.rebuild(signal);
        rebuiltAt = performance.now();
      } else {
        await fleet.refresh(waiting, signal);
      }
      if (isDue(appliedAt, retentionMs)) {
        for (const id of fleet.clusters.keys()) waiting.add(id);
        appliedAt = performance.now();
      }
      await applyToWaiting(waiting, dependencies, signal);
      return false;
    },
  });
}

async function applyToWaiting(
  waiting: Set<string>,
  { fleet, backends, now }: FleetLoopDependencies,
  signal: AbortSignal,
): Promise<void> {
  for (const id of waiting) {
    try {
      const limited = fleet.clusters.get(id)?.rules.some(({ retention }) => retention !== undefined);
      if (limited && (await applyRetention(id, { backends, now }, signal)) === 'later') return;
      waiting.delete(id);
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'canceled' || error.code === 'unavailable') throw error;
      fleetLog.warn({ error, clusterId: id }, 'retention could not be applied to a cluster; tried again');
    }
  }
}

function isDue(at: number | undefined, everyMs: number): boolean {
  return at === undefined || performance.now() - at >= everyMs;
}
