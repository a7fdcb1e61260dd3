/** The workers: claim, look, report, act, complete; each may die, freeze or lose an answer anywhere. */

import { openGeneration } from '../../log-backup.ts';
import type { LogTaskSeen } from '../command.ts';
import { act } from './cluster.ts';
import { ask, counted, FOREIGN, free, IDLE, LOOK_MS, rest, type Step, setWorker, type World } from './world.ts';

const STORAGE = { id: 's', maxConcurrent: 0 };

export function stepsOfWorkers(world: World): Step[] {
  const { log, workers } = world;
  const steps = workers.flatMap((worker, index) => {
    const name = `worker ${index + 1}`;
    if (worker.phase === 'idle') {
      // Both are alike: the second is there for what the first left.
      const isSecond = index === 1 && workers[0]?.phase === 'idle';
      const isDue = log.task !== null && log.task.claim === undefined;
      return isDue && !isSecond ? [free(`${name} claims`, (next) => claim(next, index))] : [];
    }
    const faults = [
      ...counted(world, 'faults', `${name} dies`, (next) => rest(next, index)),
      ...(worker.late
        ? []
        : counted(world, 'faults', `${name} is frozen beyond its lease`, (next) => {
            setWorker(next, index, { late: true });
            reap(next, worker.claim);
          })),
      ...(worker.phase === 'acting'
        ? counted(world, 'faults', `${name} acts, and nobody sees the end`, (next) => {
            act(next, worker);
            rest(next, index);
          })
        : []),
    ];
    return [...goesOn(world, index), ...faults];
  });
  const owner = log.task?.claim;
  const isDead = owner !== undefined && !workers.some(({ claim: one, phase }) => one === owner && phase !== 'idle');
  return [...steps, ...(isDead ? [free('the task of a dead worker is taken back', (next) => reap(next, owner))] : [])];
}

function claim(world: World, index: number): void {
  world.now += LOOK_MS;
  world.claims += 1;
  const token = `c${world.claims}`;
  if (ask(world, { kind: 'claim', claim: token, worker: `w${index + 1}` }).answer.kind !== 'held') return;
  const { log } = world;
  setWorker(world, index, {
    phase: 'claimed',
    claim: token,
    fence: log.fence,
    path: openGeneration(log)?.taskName ?? '',
  });
}

function reap(world: World, claimed: string): void {
  if (world.log.task?.claim !== claimed) return;
  world.now += 2 * LOOK_MS;
  ask(world, { kind: 'reap' });
}

/** The one thing that a worker does next; none where it is idle. */
export function goesOn(world: World, index: number): Step[] {
  const name = `worker ${index + 1}`;
  const worker = world.workers[index];
  if (!worker) return [];
  const { metadataLast } = world.setting;
  switch (worker.phase) {
    case 'claimed':
      return [
        free(`${name} reads ${metadataLast ? 'the status' : 'the metadata'}`, (next) => {
          if (metadataLast) readStatus(next, index);
          else readRange(next, index);
          setWorker(next, index, { phase: 'half' });
        }),
      ];
    case 'half':
      return [
        free(`${name} reads ${metadataLast ? 'the metadata' : 'the status'}`, (next) => {
          if (metadataLast) readRange(next, index);
          else readStatus(next, index);
          setWorker(next, index, { phase: 'looked' });
        }),
      ];
    case 'looked':
      return [free(`${name} reports`, (next) => report(next, index))];
    case 'acting':
      return [
        free(`${name} does: ${worker.act?.kind}`, (next) => {
          setWorker(next, index, { phase: 'acted', result: act(next, worker) });
        }),
      ];
    case 'acted':
      return [
        free(`${name} completes: ${worker.result}`, (next) => {
          const { claim: token, fence, result = 'unknown' } = worker;
          const reason = { code: 'REFUSED', message: 'br refused.' };
          ask(next, { kind: 'complete', claim: token, fence, result, ...(result !== 'ok' && { reason }) });
          rest(next, index);
        }),
      ];
    default:
      return [];
  }
}

function readRange(world: World, index: number): void {
  const { path } = world.workers[index] ?? IDLE;
  const written = world.cluster.written[path];
  if (written !== undefined) setWorker(world, index, { range: { min: '0', max: String(written) } });
}

function readStatus(world: World, index: number): void {
  const { cluster, setting, now } = world;
  const { path } = world.workers[index] ?? IDLE;
  if (!cluster.answers) {
    setWorker(world, index, { seen: { kind: 'unreachable', reason: { code: 'PD', message: 'PD does not answer.' } } });
    return;
  }
  const task: LogTaskSeen = {
    name: cluster.task === FOREIGN && setting.sameNames ? 'same' : cluster.task,
    storage: '',
    samePlace: cluster.task === path,
    startTs: String(cluster.run),
    state: cluster.mode,
    checkpoint: String(BigInt(cluster.moves ? now : 0) << 18n),
    errors: [],
    pausedByHand: setting.tellsWho === true && cluster.pausedBy !== '' && cluster.pausedBy !== 'error',
  };
  setWorker(world, index, {
    pause: cluster.pauses,
    seen: { kind: 'tasks', tasks: cluster.task === '' ? [] : [task] },
  });
}

function report(world: World, index: number): void {
  const worker = world.workers[index];
  if (!worker?.seen) return;
  const n = world.log.generations.length + 1;
  const taskName = `t${n}`;
  const { claim: token, fence, seen, range } = worker;
  const place = { taskName, path: taskName, storage: STORAGE, pool: 'default' };
  const { answer } = ask(world, { kind: 'report', claim: token, fence, seen, place, ...(range && { range }) });
  if (answer.kind === 'held' && answer.act) setWorker(world, index, { phase: 'acting', act: answer.act });
  else rest(world, index);
}
