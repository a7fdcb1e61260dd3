/** Every state that a small world of backups can come to. */
import { type Exploration, exploreModel, type Model } from '../../testing/exploration.ts';
import { decide } from '../decide.ts';
import { likenessOf } from './likeness.ts';
import type { Step } from './step.ts';
import { stepsFrom, take } from './steps.ts';
import { beginning, type Decide, isAtRest, type Setting, type World } from './world.ts';

const MODEL: Model<World, Step> = {
  stepsFrom,
  take,
  likenessOf,
  goals: [
    {
      otherwise: 'when the faults stop, every document reaches no task',
      by: ['free'],
      isReached: ({ documents }) => documents.every(isAtRest),
    },
  ],
};

/** Explores a world under the rules of `decide`, or others; up to so many states. */
export function explore(setting: Setting, rules: Decide = decide, most = Infinity): Exploration {
  return exploreModel(MODEL, beginning(setting, rules), most);
}
