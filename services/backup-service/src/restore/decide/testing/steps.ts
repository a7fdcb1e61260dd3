import { stepsOfRuns } from './br.ts';
import { stepsOfTime } from './clock.ts';
import { holdWorld } from './invariants.ts';
import { stepsOfPeople } from './people.ts';
import { stepsOfService } from './service.ts';
import { stepsOfWorkers } from './worker.ts';
import { copyOf, type Step, type World } from './world.ts';

/** Everything that may happen next. */
export function stepsFrom(world: World): Step[] {
  const steps = [...stepsOfService(world), ...stepsOfWorkers(world), ...stepsOfRuns(world), ...stepsOfPeople(world)];
  const busy = steps.some(({ urgent }) => urgent);
  return [...steps, ...stepsOfTime(world, busy)];
}

/** The world after a step. @throws Violation */
export function take(world: World, step: Step): World {
  const next = copyOf(world);
  step.act(next);
  holdWorld(world, next);
  return next;
}
