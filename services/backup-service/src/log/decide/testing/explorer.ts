/** Every state that a small world of a log backup can come to. */
import { type Exploration, exploreModel, type Model } from '../../../testing/exploration.ts';
import { openGeneration } from '../../log-backup.ts';
import { decideLog } from '../decide.ts';
import { stepsOfCluster, stepsOfRestore } from './cluster.ts';
import { holdRest, holdWorld } from './invariants.ts';
import { stepsOfPeople } from './people.ts';
import { stepsOfWorkers } from './workers.ts';
import { beginning, copyOf, type Rules, type Setting, type Step, type World } from './world.ts';

const MODEL: Model<World, Step> = {
  stepsFrom: (world) => [
    ...stepsOfPeople(world),
    ...stepsOfCluster(world),
    ...stepsOfRestore(world),
    ...stepsOfWorkers(world),
  ],
  take(world, step) {
    const next = copyOf(world);
    step.act(next);
    holdWorld(next);
    if (!next.setting.withoutRest) holdRest(next);
    return next;
  },
  likenessOf,
  goals: [],
};

/** Times are left out: from one look to the next each of them passes. */
function likenessOf({ log, cluster, workers, left }: World): string {
  const { wanted, wish, reached, looked, resumeBegun, manual, resumeTries, block, observed, task } = log;
  const generations = log.generations.map((one) => [
    ...[
      one.taskName,
      one.startTs,
      one.max,
      one.open,
      one.begun?.wish,
      one.started,
      one.stopping,
      one.dead,
      one.vanished,
    ],
  ]);
  const due = [log.resumeNotBefore !== null, log.startNotBefore !== null, log.quietUntil !== null];
  const owner = task && [
    workers.findIndex(({ claim }) => claim === task.claim),
    task.claim !== undefined,
    task.wish,
    task.act?.kind,
  ];
  const at = workers.map(({ phase, late, path, range, act, pause, result, seen, claim }) => [
    ...[phase, late, path, range?.max, act?.kind, act?.taskName, act?.wish, pause, result, claim === task?.claim],
    seen?.kind === 'tasks'
      ? seen.tasks.map((one) => [
          one.name,
          one.samePlace,
          one.startTs,
          one.state,
          one.pausedByHand,
          one.checkpoint !== '0',
        ])
      : seen?.kind,
  ]);
  const known = [
    wanted,
    wish,
    reached,
    looked,
    resumeBegun,
    manual,
    resumeTries,
    block === null ? 0 : 1,
    log.givenBack?.length ?? 0,
    observed.state,
    log.cleanup.length > 0,
  ];
  return JSON.stringify([known, generations, due, owner, openGeneration(log)?.n, cluster, at, left]);
}

/** Explores a world under the rules of `decideLog`, or others; up to so many states. */
export function explore(setting: Setting, rules: Rules = decideLog, most = Infinity): Exploration {
  const first = beginning(setting, rules);
  if (setting.running) bringUp(first);
  return exploreModel(MODEL, first, most);
}

/** Somebody wants a log, a worker starts it, and sees it run. */
function bringUp(world: World): void {
  const [wish] = stepsOfPeople({ ...world, left: { ...world.left, wishes: 1 } }).filter(({ name }) =>
    name.endsWith(' on'),
  );
  wish?.act(world);
  while (!world.log.reached || world.log.observed.state !== 'Running') stepsOfWorkers(calm(world))[0]?.act(world);
  world.left = { wishes: world.setting.wishes, events: world.setting.events, faults: world.setting.faults };
}

const calm = (world: World): World => ({ ...world, left: { wishes: 0, events: 0, faults: 0 } });
