/** What `br` and people do to the cluster; what must never be done there is a violation. */
import { Violation } from '../../../testing/exploration.ts';
import { type LogActResult, lastGeneration, openGeneration } from '../../log-backup.ts';
import { ask, counted, FOREIGN, free, isOwn, type Step, setCluster, type Worker, type World } from './world.ts';

/** An act of a worker, which answers as `br` does. @throws Violation */
export function act(world: World, worker: Worker): LogActResult {
  const { cluster, log, setting } = world;
  const { kind, taskName } = worker.act ?? { kind: 'stop', taskName: '' };
  if (!cluster.answers) return 'refused';
  const never = (sentence: string) => {
    if (!worker.late) throw new Violation(sentence);
  };
  if (kind === 'start') {
    if (cluster.restore === 'busy' || cluster.task !== '') return 'refused';
    if (log.block !== null) never('nothing is started while a restore has the cluster (L7)');
    if (cluster.stoppedUnder === log.wish) never('what somebody stopped is not started again (L6)');
    begin(world, taskName);
    return 'ok';
  }
  const isHit =
    cluster.task === taskName || (setting.sameNames === true && cluster.task === FOREIGN && taskName === 'same');
  if (!isHit) return kind === 'stop' ? 'ok' : 'refused';
  if (cluster.task === FOREIGN) throw new Violation('the task of others is never touched (L1)');
  if (kind === 'pause') {
    if (cluster.mode === 'normal') pause(world, 'us', 'paused');
    return 'ok';
  }
  if (kind === 'resume') return resume(world, worker, never);
  if (cluster.mode !== 'normal') {
    setCluster(world, { safepoint: true });
    if (log.cleanup.length === 0) throw new Violation('what a stop leaves is on record before it (L8)');
  }
  end(world);
  return 'ok';
}

function resume(world: World, worker: Worker, never: (sentence: string) => void): LogActResult {
  const { cluster, log } = world;
  if (cluster.mode === 'normal') return 'ok';
  if (cluster.historyGone) return 'newLog';
  if (log.block !== null) never('nothing is resumed while a restore has the cluster (L7)');
  const isByHand = cluster.pausedBy === 'person' && cluster.pausedUnder === log.wish;
  if (isByHand && cluster.pauses === worker.pause) never('what somebody paused stays paused (L6)');
  if (cluster.storageAway) pause(world, 'error', 'error');
  else setCluster(world, { mode: 'normal', pausedBy: '', moves: true });
  return 'ok';
}

function begin(world: World, task: string): void {
  const { cluster } = world;
  const run = cluster.runs + 1;
  const goesOn = cluster.written[task] !== undefined && cluster.stale.includes(task);
  setCluster(world, {
    ...{ task, run, runs: run, mode: 'normal', pausedBy: '', moves: true, historyGone: false },
    holes: goesOn ? [...cluster.holes, run] : cluster.holes,
    stale: cluster.stale.filter((one) => one !== task),
    written: { ...cluster.written, [task]: run },
  });
}

function end(world: World): void {
  setCluster(world, { task: '', run: 0, mode: 'normal', pausedBy: '', moves: true, historyGone: false });
}

function pause(world: World, pausedBy: 'us' | 'person' | 'error', mode: 'paused' | 'error'): void {
  const { log, cluster } = world;
  const pausedUnder = log.looked === log.wish ? log.wish : -1;
  setCluster(world, { mode, pausedBy, pausedUnder, pauses: cluster.pauses + 1, moves: false });
}

function makeStale(world: World): void {
  setCluster(world, { stale: Object.keys(world.cluster.written) });
}

/** What people do by hand, what others do, and what the cluster does by itself. */
export function stepsOfCluster(world: World): Step[] {
  const { cluster, log } = world;
  const event = (isPossible: boolean, name: string, does: Step['act']) =>
    isPossible ? counted(world, 'events', name, does) : [];
  const isOurs = isOwn(cluster);
  const isRunning = isOurs && cluster.mode === 'normal';
  const isStill = isOurs && cluster.mode !== 'normal';
  const isIdle = cluster.restore !== 'busy';
  const last = lastGeneration(log)?.taskName;
  return [
    ...event(isRunning, 'somebody pauses the task', (next) => pause(next, 'person', 'paused')),
    ...event(isStill && !cluster.historyGone, 'somebody resumes the task', (next) =>
      setCluster(next, { mode: 'normal', pausedBy: '', moves: true }),
    ),
    ...event(isOurs, 'somebody stops the task', stopByHand),
    ...event(
      cluster.task === '' && isIdle && last !== undefined && cluster.written[last] !== undefined,
      'somebody starts a task with the same name and path',
      (next) => {
        begin(next, last ?? '');
        setCluster(next, { stoppedUnder: -1 });
      },
    ),
    ...event(cluster.task === '' && cluster.restore === '', 'somebody restores into the cluster', makeStale),
    ...event(cluster.task === '' && isIdle, 'a task of others starts', (next) =>
      setCluster(next, { task: FOREIGN, mode: 'normal' }),
    ),
    ...event(cluster.task === FOREIGN, 'the task of others is stopped', end),
    ...event(isRunning, 'the storage is away, and TiKV gives up', (next) => {
      pause(next, 'error', 'error');
      setCluster(next, { storageAway: true });
    }),
    ...event(isRunning && cluster.moves, 'the checkpoint stands still', (next) => setCluster(next, { moves: false })),
    ...(cluster.storageAway ? [free('the storage is back', (next) => setCluster(next, { storageAway: false }))] : []),
    ...event(isStill && !cluster.historyGone, 'the history is collected', (next) =>
      setCluster(next, { historyGone: true }),
    ),
    ...event(isIdle, 'the cluster is built anew', (next) => {
      end(next);
      setCluster(next, { safepoint: false });
      makeStale(next);
    }),
    ...(cluster.answers
      ? event(true, 'PD is away', (next) => setCluster(next, { answers: false }))
      : [free('PD is back', (next) => setCluster(next, { answers: true }))]),
  ];
}

function stopByHand(world: World): void {
  const { cluster, log } = world;
  const open = openGeneration(log);
  const isAsWanted =
    open !== undefined &&
    !open.dead &&
    open.vanished === null &&
    open.taskName === cluster.task &&
    log.looked === log.wish;
  const isKnown = open?.startTs === null ? open.started : open?.startTs === String(cluster.run);
  setCluster(world, {
    ...(isAsWanted && isKnown && { stoppedUnder: log.wish }),
    ...(cluster.mode !== 'normal' && { safepoint: true }),
  });
  end(world);
}

/** A restore by Tidemark that wants the cluster for itself. */
export function stepsOfRestore(world: World): Step[] {
  const { cluster, log } = world;
  const { restore } = cluster;
  const isGranted = (next: World, restoreId: string) => ask(next, { kind: 'block', restoreId }).answer.kind === 'ok';
  const takes: Step['act'] = (next) => {
    if (isGranted(next, `r${next.left.events}`)) setCluster(next, { restore: 'idle' });
  };
  const last = log.givenBack?.at(-1);
  return [
    ...(last !== undefined
      ? [
          free('a slow copy asks once more', (next) => {
            if (isGranted(next, last)) throw new Violation('a cluster that was given back is not taken again (L12)');
          }),
        ]
      : []),
    ...(restore === '' ? counted(world, 'events', 'a restore asks for the cluster', takes) : []),
    ...(restore === 'idle' && cluster.task === '' && cluster.answers
      ? [
          free('its br runs', (next) => {
            setCluster(next, { restore: 'busy' });
            makeStale(next);
          }),
        ]
      : []),
    ...(restore === 'busy' ? [free('its br ends', (next) => setCluster(next, { restore: 'idle' }))] : []),
    ...(restore === 'idle' ? [free('the restore is over', giveBack)] : []),
  ];
}

/** The restore lets go of the cluster. */
export function giveBack(world: World): void {
  setCluster(world, { restore: '' });
  ask(world, { kind: 'giveBack', restoreId: world.log.block ?? '' });
}
