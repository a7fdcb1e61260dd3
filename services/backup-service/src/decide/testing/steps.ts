import { stepsOfTime } from './clock.ts';
import { holdWorld } from './invariants.ts';
import { stepsOfDispatcher, stepsOfPeople, stepsUnderWay } from './people.ts';
import { stepsOfRuns } from './run.ts';
import type { Step } from './step.ts';
import { stepsOfWorkers } from './worker.ts';
import { copyOf, type World } from './world.ts';

/** Everything that may happen next. */
export function stepsFrom(world: World): Step[] {
  const steps = [
    ...stepsOfDispatcher(world),
    ...stepsOfWorkers(world),
    ...stepsOfRuns(world),
    ...stepsOfPeople(world),
    ...stepsUnderWay(world),
  ];
  const busy = steps.some(({ urgent }) => urgent);
  return [...steps, ...stepsOfTime(world, busy)];
}

/** The world after a step. @throws Violation */
export function take(world: World, step: Step): World {
  const next = copyOf(world);
  step.act(next);
  holdWorld(next);
  return next;
}
