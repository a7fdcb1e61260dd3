/** Every state that a small world of restores can come to. */
import { type Exploration, exploreModel, type Model } from '../../../testing/exploration.ts';
import { isOver } from '../../restore.ts';
import { decideRestore } from '../decide.ts';
import { likenessOf } from './likeness.ts';
import { stepsFrom, take } from './steps.ts';
import { beginning, type Rules, type Setting, type Step, type World } from './world.ts';

const isStill = ({ late, copies, runs, workers }: World) =>
  late.length === 0 && copies.length === 0 && runs.length === 0 && workers.every(({ job, record }) => !job && !record);
const isAtRest = (world: World) => isStill(world) && world.documents.every(({ task }) => task === null);

const MODEL: Model<World, Step> = {
  stepsFrom,
  take,
  likenessOf,
  goals: [
    {
      otherwise: 'when the faults stop, every restore comes to an end by itself',
      by: ['free'],
      isReached: isAtRest,
    },
    {
      otherwise: 'people can free every target, and every source is given back',
      by: ['free', 'wish'],
      isReached: (world) => isAtRest(world) && world.documents.every(isOver) && world.source.holds.length === 0,
    },
  ],
};

/** Explores a world under the rules of `decideRestore`, or others; up to so many states. */
export function explore(setting: Setting, rules: Rules = decideRestore, most = Infinity): Exploration {
  return exploreModel(MODEL, beginning(setting, rules), most);
}
