/** What holds in every state, and what comes of every state once people and faults stop. */
import { Violation } from '../../../testing/exploration.ts';
import { alarmsOf, isHealthy, type LogAlarmName } from '../../alarms.ts';
import { openGeneration } from '../../log-backup.ts';
import { giveBack } from './cluster.ts';
import { goesOn, stepsOfWorkers } from './workers.ts';
import { copyOf, isOwn, setCluster, type World } from './world.ts';

/** @throws Violation */
export function holdWorld(world: World): void {
  const { log, cluster } = world;
  if (log.generations.filter(({ open }) => open).length > 1) throw new Violation('one generation is open at most');
  for (const { startTs, max } of log.generations) {
    const isPromised = (run: number) => startTs !== null && run > Number(startTs) && run <= Number(max ?? 0);
    if (cluster.holes.some(isPromised)) throw new Violation('no point is promised over a hole (L4)');
  }
}

/** They say nothing of whether the task is as wanted. */
const OF_NO_TASK: readonly LogAlarmName[] = ['logSafepoints', 'logNoBase'];
const MOST_ROUNDS = 16;
const MOST_ACTS = 5;

/** L11: after a few acts the wish is reached or an alarm stands, and then nothing is done any more. @throws Violation */
export function holdRest(world: World): void {
  const still = copyOf(world);
  setCluster(still, { answers: true });
  if (still.cluster.restore !== '') giveBack(still);
  still.left = { wishes: 0, events: 0, faults: 0 };
  for (const index of still.workers.keys()) finish(still, index);
  let acts = 0;
  let quiet = 0;
  for (let round = 0; round < MOST_ROUNDS && quiet < 3 && still.log.task; round += 1) {
    const [first] = stepsOfWorkers(still);
    first?.act(still);
    const did = finish(still, 0);
    if (did) acts += 1;
    quiet = did ? 0 : quiet + 1;
  }
  if (still.log.task && quiet < 3) throw new Violation('it comes to rest (L11)');
  if (acts > MOST_ACTS) throw new Violation('it comes to rest after a few acts (L11)');
  holdWorld(still);
  holdOutcome(still);
}

/** A worker does what it is at, and no more; whether it acted. */
function finish(world: World, index: number): boolean {
  let acted = false;
  for (let [step] = goesOn(world, index); step; [step] = goesOn(world, index)) {
    acted ||= world.workers[index]?.phase === 'acting';
    step.act(world);
  }
  return acted;
}

function holdOutcome({ log, cluster, now }: World): void {
  const at = new Date(now);
  const alarms = alarmsOf(log, at).filter(({ name }) => !OF_NO_TASK.includes(name));
  const isOurs = isOwn(cluster);
  const isThere = isOurs && openGeneration(log)?.taskName === cluster.task;
  const isMet = {
    off: !isOurs,
    on: isThere && cluster.mode === 'normal' && cluster.moves,
    paused: !isOurs || (isThere && cluster.mode !== 'normal'),
  }[log.wanted];
  if (!isMet && alarms.length === 0) throw new Violation('what is wanted is reached, or an alarm stands (L11)');
  if (isHealthy(log, at) && !(isOurs && cluster.mode === 'normal' && cluster.moves))
    throw new Violation('only a checkpoint that moves is called healthy (L9)');
  if (cluster.safepoint && log.cleanup.length === 0 && !isOurs)
    throw new Violation('what a task may have left is on record (L8)');
  if (log.wanted === 'off' && cluster.task === '' && openGeneration(log))
    throw new Violation('a restore gets a cluster whose log is off (L7)');
}
