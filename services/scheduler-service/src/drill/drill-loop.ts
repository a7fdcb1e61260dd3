/** Takes up windows of drills, and brings each run on by the steps of `decide/run.ts` (DR1 to DR7). */
import { type Loop, startLoop } from '@tidemark/service-kit/loop';
import pMap from 'p-map';
import { drillCame } from '../events.ts';
import { loopLog } from '../logger.ts';
import type { Quarantines } from '../quarantines.ts';
import { type Drill, windowAfter } from './decide/drill.ts';
import { freshRun, windowRunId } from './decide/run.ts';
import { attendToRun, type RunDependencies } from './run-steps.ts';

export interface DrillLoopDependencies extends RunDependencies {
  readonly pollMs: number;
  readonly quarantines: Pick<Quarantines, 'drills' | 'drillRuns'>;
}

const BATCH = 200;
/** Runs that one copy brings on at once. */
const CONCURRENCY = 4;

/** Starts looking for windows of drills, and for runs that are to go on. */
export function startDrillLoop(dependencies: DrillLoopDependencies): Loop {
  return startLoop({
    name: 'drill-loop',
    everyMs: dependencies.pollMs,
    log: loopLog,
    async run(signal) {
      await takeUpWindows(dependencies, signal);
      await bringOn(dependencies, signal);
      return false;
    },
  });
}

async function takeUpWindows(dependencies: DrillLoopDependencies, signal: AbortSignal): Promise<void> {
  const { store, now, quarantines } = dependencies;
  const due = await store.findDue(now(), BATCH + quarantines.drills.size, signal);
  for (const drill of due) await quarantines.drills.attempt(drill._id, () => takeUp(drill, dependencies), signal);
}

/** The run is there before the next window is planned, so that none is lost; its id keeps it from coming twice (DR1). */
async function takeUp(drill: Drill, { store, now }: DrillLoopDependencies): Promise<void> {
  const { _id: clusterId, nextWindow } = drill;
  if (!nextWindow) return;
  const { opensAt, closesAt } = nextWindow;
  const run = freshRun(drill, { id: windowRunId(clusterId, opensAt), opensAt, closesAt, byHand: false }, now());
  if (await store.insertRun(run)) drillCame(run);
  await store.advance(drill, windowAfter(drill, opensAt));
}

async function bringOn(dependencies: DrillLoopDependencies, signal: AbortSignal): Promise<void> {
  const { store, now, quarantines } = dependencies;
  const open = await store.findOpen(now(), BATCH + quarantines.drillRuns.size, signal);
  await pMap(
    open,
    (run) => quarantines.drillRuns.attempt(run._id, () => attendToRun(run, dependencies, signal), signal),
    { concurrency: CONCURRENCY, signal },
  );
}
