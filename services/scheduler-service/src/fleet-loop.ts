/**
 * Keeps the picture of the fleet fresh, and applies retention and has backups verified where something changed, and in all
 * clusters every hour.
 */
import { type Loop, startLoop } from '@tidemark/service-kit/loop';
import { applyRetention } from './apply-retention.ts';
import type { Backends } from './backends.ts';
import type { Fleet } from './fleet.ts';
import { fleetLog } from './logger.ts';
import type { Quarantines } from './quarantines.ts';
import { verifies, verifyNewest } from './verify-newest.ts';

export interface FleetLoopDependencies {
  readonly fleet: Fleet;
  readonly backends: Backends;
  readonly quarantines: Quarantines;
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
  const toVerify = new Set<string>();
  /** Of which something changed since they were last attended to. */
  const changed = new Set<string>();
  let rebuiltAt: number | undefined;
  let appliedAt: number | undefined;

  return startLoop({
    name: 'fleet-loop',
    everyMs: refreshMs,
    log: fleetLog,
    async run(signal) {
      if (isDue(rebuiltAt, rebuildMs)) {
        // What changed since the last refresh would be lost to retention with the old cursor.
        if (rebuiltAt !== undefined) await fleet.refresh(changed, signal);
        await fleet.rebuild(signal);
        rebuiltAt = performance.now();
      } else {
        await fleet.refresh(changed, signal);
      }
      if (isDue(appliedAt, retentionMs)) {
        for (const id of fleet.clusters.keys()) changed.add(id);
        appliedAt = performance.now();
      }
      for (const id of changed) {
        waiting.add(id);
        toVerify.add(id);
      }
      changed.clear();
      await applyToWaiting(waiting, dependencies, signal);
      await verifyWaiting(toVerify, dependencies, signal);
      return false;
    },
  });
}

async function applyToWaiting(
  waiting: Set<string>,
  { fleet, backends, quarantines, now }: FleetLoopDependencies,
  signal: AbortSignal,
): Promise<void> {
  for (const id of [...waiting]) {
    // One whose backups cannot be listed in time is behind the others in the next round.
    waiting.delete(id);
    waiting.add(id);
    const limited = fleet.clusters.get(id)?.rules.some(({ retention }) => retention !== undefined);
    const apply = async () => (limited ? applyRetention(id, { backends, quarantines, now }, signal) : 'done');
    const done = await quarantines.retentionOfClusters.attempt(id, apply, signal);
    if (done === 'later') return;
    if (done === 'done') waiting.delete(id);
  }
}

/** Those that wait longest first: where too many verifications wait already, the others have their turn in the next rounds. */
async function verifyWaiting(
  waiting: Set<string>,
  { fleet, backends, quarantines, now }: FleetLoopDependencies,
  signal: AbortSignal,
): Promise<void> {
  for (const id of [...waiting]) {
    const isWanted = fleet.clusters.get(id)?.rules.some(verifies);
    const ask = async () => (isWanted ? verifyNewest(id, { backends, now }, signal) : 'done');
    const done = await quarantines.verifiedClusters.attempt(id, ask, signal);
    if (done === 'later') return;
    waiting.delete(id);
    if (done === undefined) waiting.add(id);
  }
}

function isDue(at: number | undefined, everyMs: number): boolean {
  return at === undefined || performance.now() - at >= everyMs;
}
