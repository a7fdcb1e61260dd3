/** A way through a world that chance picks; deeper than what can be explored. */
import type { Step } from './step.ts';
import { stepsFrom, take } from './steps.ts';
import { isAtRest, type World } from './world.ts';

const LONGEST_WAY_HOME = 5_000;

/**
 * Takes as many steps as there are picks; then the faults stop, and it goes on until all backups are at rest.
 *
 * @param picks which of the possible steps to take each time, by any number
 * @throws Violation, or Error when the backups do not come to rest
 */
export function walk(from: World, picks: readonly number[]): World {
  let world = from;
  for (const pick of picks) world = oneStep(world, pick);
  world = { ...world, faults: 0, wishes: 0 };
  for (let step = 0; !world.documents.every(isAtRest); step += 1) {
    if (step > LONGEST_WAY_HOME) throw new Error('the faults have stopped, and still a backup is not at rest');
    world = oneStep(world, (picks[step % picks.length] ?? 0) + step * 7_919);
  }
  return world;
}

/** Of ten steps, how many are of which kind where there is a choice: else most wishes and faults would come at the start. */
const KINDS: readonly Step['kind'][] = [...Array(7).fill('free'), 'fault', 'fault', 'wish'];

function oneStep(world: World, pick: number): World {
  const all = stepsFrom(world);
  const preferred = all.filter(({ kind }) => kind === KINDS[pick % KINDS.length]);
  const steps = preferred.length > 0 ? preferred : all;
  const step = steps[Math.floor(pick / KINDS.length) % steps.length];
  return step ? take(world, step) : world;
}
