/** Every state that a small world of snapshots and logs can come to. */
import { type Exploration, exploreModel, type Model } from '../../testing/exploration.ts';
import * as judge from '../judge.ts';
import { plan } from '../plan.ts';
import { recoverable } from '../recoverable.ts';
import { wouldLose } from '../would-lose.ts';
import { type Step, stepsFrom, take } from './steps.ts';
import { beginning, likenessOf, type Rules, type Setting, type World } from './world.ts';

export const RULES: Rules = { ...judge, plan, recoverable, wouldLose };

const MODEL: Model<World, Step> = {
  stepsFrom,
  take,
  likenessOf,
  goals: [
    {
      otherwise: 'when the faults stop, what is under way comes to an end',
      by: ['free', 'wish'],
      isReached: ({ runners, asked, restores, logs, snapshots }) =>
        runners.every((todo) => todo.length === 0) &&
        asked === null &&
        restores.length === 0 &&
        logs.every(({ until }) => until === null) &&
        snapshots.every(({ removal }) => removal === 'none'),
    },
  ],
};

/** Explores a world under the rules as they are, or others; up to so many states. */
export function explore(setting: Setting, rules: Rules = RULES, most = Infinity): Exploration {
  return exploreModel(MODEL, beginning(setting, rules), most);
}
