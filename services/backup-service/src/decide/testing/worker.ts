/** What a worker does with a task, as architecture 2 has it (T3 to T5, T7, T9), and what may befall it. */
import { Violation } from '../../testing/exploration.ts';
import type { Answer, Command, Outcome } from '../command.ts';
import { ask } from './commands.ts';
import { hold, OF_A_REMOVAL, OF_A_SPAWN } from './invariants.ts';
import { kill } from './run.ts';
import { fault, free, type Step, urgent } from './step.ts';
import {
  documentOf,
  type End,
  filesIn,
  isReachable,
  type Job,
  KILL_MS,
  LOCK_MARGIN_MS,
  lockedUntil,
  type RunRecord,
  SILENCE_MS,
  SPAWN_MS,
  setFiles,
  setWorker,
  UNREACHED,
  type Worker,
  type World,
  workerOf,
} from './world.ts';

const reason = (code: string) => ({ code, message: code });
const RESULT = { tso: '5', sizeBytes: 7, files: 1, tidbClusterId: '1', clusterVersion: '8.5.0' };

/** What each worker may do next, and what may befall it. */
export function stepsOfWorkers(world: World): Step[] {
  return world.workers.flatMap((worker, number) => [
    ...befallen(world, worker, number),
    ...(worker.mode === 'up' ? stepsOf(world, worker, number) : []),
  ]);
}

function befallen(world: World, worker: Worker, number: number): Step[] {
  const name = nameOf(number);
  const { mode, cut, job, records } = worker;
  if (mode === 'down') return [free(`${name} starts again`, (next) => restart(next, number))];
  const crashes = job ? fault(world, 'crash', `${name} crashes`, (next) => crash(next, number)) : [];
  if (mode !== 'up') return [free(`${name} wakes`, (next) => wake(next, number)), ...crashes];
  const works = job !== null && job.phase !== 'claiming';
  const quiet = { unheardSince: world.now };
  return [
    ...crashes,
    ...(works && !cut
      ? [
          ...fault(world, 'freeze', `${name} is frozen`, (next) =>
            setWorker(next, number, { mode: 'frozen', ...quiet }),
          ),
          ...fault(world, 'hostFreeze', `the host of ${name} is frozen`, (next) =>
            setWorker(next, number, { mode: 'hostFrozen', ...quiet }),
          ),
        ]
      : []),
    ...(worker.away
      ? [free(`${name} reaches the storage again`, (next) => setWorker(next, number, { away: false }))]
      : fault(world, 'unreach', `${name} cannot reach the storage`, (next) => setWorker(next, number, { away: true }))),
    ...(cut
      ? [free(`${name} is connected again`, (next) => setWorker(next, number, { cut: false }))]
      : job || records.length > 0
        ? fault(world, 'partition', `${name} is cut off`, (next) => setWorker(next, number, { cut: true, ...quiet }))
        : []),
  ];
}

function crash(world: World, number: number): void {
  const { job, mode } = workerOf(world, number);
  // The message is only acknowledged once the claim is answered.
  if (job?.phase === 'claiming') world.bells[job.document] = true;
  for (const run of world.runs.filter((one) => one.worker === number)) {
    if (mode === 'hostFrozen') kill(world, run);
    else world.runs = world.runs.map((one) => (one === run ? { ...run, until: world.now + KILL_MS } : one));
  }
  setWorker(world, number, { mode: 'down', cut: false, job: null });
}

/** Orphans are killed, and what is on record is to be reported. */
function restart(world: World, number: number): void {
  for (const run of world.runs.filter((one) => one.worker === number)) kill(world, run);
  const records = workerOf(world, number).records.map((record) => ({ ...record, stray: true }));
  setWorker(world, number, { mode: 'up', records });
}

/** The guard, where it was frozen too, sees how long it heard nothing. */
function wake(world: World, number: number): void {
  const { unheardSince } = workerOf(world, number);
  setWorker(world, number, { mode: 'up' });
  if (world.now - unheardSince < SILENCE_MS - KILL_MS) return;
  for (const run of world.runs.filter((one) => one.worker === number)) kill(world, run, 'silenced');
}

function stepsOf(world: World, worker: Worker, number: number): Step[] {
  const name = nameOf(number);
  const { job, records } = worker;
  const stray = records.find((record) => record.stray);
  const telling =
    stray && isReachable(worker) ? [urgent(`${name} tells of a stray`, (next) => tellStray(next, number, stray))] : [];
  if (!job) return [...telling, ...receiving(world, number)];
  const hears =
    job.kind === 'backup' &&
    job.phase !== 'claiming' &&
    !job.canceling &&
    isReachable(worker) &&
    documentOf(world, job.document).state === 'Canceling' &&
    documentOf(world, job.document).task?.claim === job.claim;
  return [
    ...telling,
    ...(hears ? [free(`${name} hears of the cancel`, (next) => setJob(next, number, { canceling: true }))] : []),
    ...(job.phase === 'claiming' ? claiming(world, worker, number, job) : []),
    ...(job.phase === 'granted' && job.kind === 'remove' ? listing(world, worker, number, job) : []),
    ...(job.phase === 'announced' ? removing(world, number, job) : []),
    ...(job.phase === 'granted' && job.kind === 'backup' ? looking(world, worker, number, job) : []),
    ...(job.phase === 'started' ? spawning(world, number, job) : []),
    ...(job.phase === 'running' ? running(world, worker, number, job) : []),
    ...(job.phase === 'ended' ? ending(world, worker, number, job) : []),
    ...(job.phase !== 'claiming' && job.phase !== 'ended'
      ? fault(world, 'drain', `${name} is to stop`, (next) => drain(next, number, job))
      : []),
  ];
}

// --- claim

function receiving(world: World, number: number): Step[] {
  return world.bells.flatMap((rings, document) => {
    if (!rings) return [];
    const take = (next: World) => {
      next.tokens += 1;
      setWorker(next, number, { job: newJob(document, `t${next.tokens}`) });
    };
    const takeOnly = (next: World) => {
      next.bells[document] = false;
      take(next);
    };
    return [
      urgent(`${nameOf(number)} receives b${document}`, takeOnly),
      ...fault(world, 'doubledMessage', `${nameOf(number)} receives b${document}, and a copy stays`, take),
    ];
  });
}

const newJob = (document: number, claim: string): Job => ({
  document,
  claim,
  phase: 'claiming',
  kind: 'backup',
  fence: 0,
  path: '',
  paths: [],
  mayRun: false,
  previousEnded: false,
  canceling: false,
  sentAt: 0,
});

function claiming(world: World, worker: Worker, number: number, { document, claim }: Job): Step[] {
  const name = `${nameOf(number)} claims b${document} as ${claim}`;
  if (!isReachable(worker)) return [free(`${name}, and gives it up`, (next) => idle(next, number))];
  const told = { claim, worker: nameOf(number), instance: nameOf(number), pool: 'default' };
  const command: Command = { kind: 'claim', ...told, ...(worker.away && { outOfReach: true }), newerGood: false };
  const release: Command = { kind: 'release', claim };
  return [
    urgent(name, (next) => take(next, number, ask(next, document, command))),
    ...fault(world, 'lostAnswer', `${name}, unanswered, and will again`, (next) => void ask(next, document, command)),
    ...fault(world, 'lostAnswer', `${name}, unanswered, and releases it`, (next) => {
      ask(next, document, command);
      ask(next, document, release);
      idle(next, number);
    }),
    ...late(world, document, command, `${name} in vain, and releases it`, (next) => {
      ask(next, document, release);
      idle(next, number);
    }),
  ];
}

function take(world: World, number: number, answer: Answer): void {
  if (answer.kind === 'backupGrant') {
    const { fence, path, mayRun, previousEnded } = answer;
    setJob(world, number, { phase: 'granted', kind: 'backup', fence, path, mayRun, previousEnded });
  } else if (answer.kind === 'removeGrant') {
    setJob(world, number, { phase: 'granted', kind: 'remove', fence: answer.fence, paths: answer.paths });
  } else idle(world, number);
}

/** A copy of the call stays under way. */
function late(world: World, document: number, command: Command, name: string, act: Step['act']): Step[] {
  if (world.late.length > 0) return [];
  return fault(world, 'lateCall', name, (next) => {
    next.late = [...next.late, { document, command }];
    act(next);
  });
}

// --- backup

/** T9: what lies in the path already, and whether `br` may be started. */
function looking(world: World, worker: Worker, number: number, job: Job): Step[] {
  const name = nameOf(number);
  const { holds } = filesIn(world, job.path);
  const locked = job.previousEnded ? 0 : lockedUntil(world, job.path);
  const end = (what: string, how: End) => [urgent(`${name} ${what}`, (next) => finish(next, number, how))];
  if (job.canceling) return end('stops before it began', { kind: 'stopped' });
  if (worker.away) return end('cannot look', handBack(number));
  if (holds === 'all') return end('finds a finished backup', { kind: 'succeeded', result: RESULT });
  if (holds === 'bad') return end('finds a bad backup', { kind: 'newPath', reason: reason('PATH_UNUSABLE') });
  if (locked > 0) {
    const waitMs = locked - world.now + LOCK_MARGIN_MS;
    return end('finds the path locked', { kind: 'wait', waitMs, reason: reason('LOCKED') });
  }
  if (!job.mayRun) return end('may not run it', { kind: 'failed', reason: reason('EXHAUSTED') });
  if (!isReachable(worker)) return [];
  const starting = { argv: ['br'], brVersion: 'v', hasLock: world.setting.lock };
  const command: Command = { kind: 'renew', claim: job.claim, fence: job.fence, starting };
  const announce = (next: World) => announced(next, number, job, ask(next, job.document, command));
  return [
    urgent(`${name} announces br`, announce),
    ...fault(world, 'lostAnswer', `${name} announces br, unanswered`, (next) => void ask(next, job.document, command)),
    ...late(world, job.document, command, `${name} announces br, doubled`, announce),
  ];
}

function announced(world: World, number: number, job: Job, answer: Answer): void {
  if (answer.kind !== 'held') lost(world, number);
  else if (answer.state === 'Canceling') finish(world, number, { kind: 'stopped' });
  else isToStart(world, number, job);
}

function isToStart(world: World, number: number, job: Job): void {
  const { document, claim, fence, path } = job;
  // What is left of a lock is taken away; a living br writes its own again.
  if (job.previousEnded) setFiles(world, path, { lockedUntil: 0 });
  const records = [...workerOf(world, number).records, { document, claim, fence, path, stray: false }];
  setWorker(world, number, { records });
  setJob(world, number, { phase: 'started', sentAt: world.now });
}

function spawning(world: World, number: number, job: Job): Step[] {
  const name = nameOf(number);
  if (job.canceling) return [urgent(`${name} stops`, (next) => finish(next, number, { kind: 'stopped' }))];
  if (world.now - job.sentAt > SPAWN_MS)
    return [urgent(`${name} was too slow to start br`, (next) => finish(next, number, { kind: 'release' }))];
  return [urgent(`${name} starts br in ${job.path}`, (next) => spawn(next, number, job))];
}

function spawn(world: World, number: number, { document, claim, path }: Job): void {
  hold(OF_A_SPAWN, world, jobOf(world, number));
  const { lock } = world.setting;
  world.runs = [...world.runs, { document, claim, path, worker: number, lock, spoiled: false, exempt: false }];
  if (filesIn(world, path).holds === 'nothing') setFiles(world, path, { holds: 'part' });
  setJob(world, number, { phase: 'running' });
}

function running(world: World, worker: Worker, number: number, job: Job): Step[] {
  const name = nameOf(number);
  const run = world.runs.find(({ claim }) => claim === job.claim);
  const overdue = documentOf(world, job.document).deadline.getTime() <= world.now;
  if (!run) return [urgent(`${name} sees the end of br`, (next) => conclude(next, number, job))];
  const renew: Command = { kind: 'renew', claim: job.claim, fence: job.fence };
  return [
    ...(job.canceling
      ? [urgent(`${name} stops br`, (next) => stop(next, number, { kind: 'stopped' }))]
      : overdue
        ? [urgent(`${name} stops br at its deadline`, (next) => kill(next, run, 'overdue'))]
        : []),
    ...(isReachable(worker) ? late(world, job.document, renew, `${name} renews, doubled`, () => {}) : []),
  ];
}

/** What the end of `br` means; T9 looks once more. */
function conclude(world: World, number: number, { path, exit, canceling }: Job): void {
  const { away } = workerOf(world, number);
  const { holds } = filesIn(world, path);
  const failed = (kind: 'failed' | 'retry' | 'newPath', code: string): End => ({ kind, reason: reason(code) });
  const succeeded: End = { kind: 'succeeded', result: RESULT };
  const exitSeen: End = { ...succeeded, exitSeen: true };
  const end = (): End => {
    if (away) return canceling ? { kind: 'stopped' } : handBack(number);
    if (exit === 'done') return holds === 'all' ? exitSeen : failed('newPath', 'BACKUPMETA_BAD');
    if (canceling) return { kind: 'stopped' };
    if (holds === 'all' && exit !== 'newPath') return succeeded;
    if (exit === 'silenced') return { kind: 'release' };
    if (exit === 'overdue') return failed('failed', 'DEADLINE');
    if (exit === 'permanent') return failed('failed', 'PERMANENT');
    return failed(exit === 'newPath' ? 'newPath' : 'retry', 'BR');
  };
  finish(world, number, end());
}

function drain(world: World, number: number, job: Job): void {
  const found = job.phase === 'running' && filesIn(world, job.path).holds === 'all' && !job.canceling;
  stop(world, number, found ? { kind: 'succeeded', result: RESULT } : { kind: 'release' });
}

function stop(world: World, number: number, end: End): void {
  killOwn(world, number);
  finish(world, number, end);
}

// --- removal

/** What there is to remove is announced before it is touched. */
function listing(world: World, worker: Worker, number: number, job: Job): Step[] {
  const name = nameOf(number);
  if (worker.away) return [urgent(`${name} cannot remove anything`, (next) => finish(next, number, handBack(number)))];
  const { claim, fence, document, paths } = job;
  const { path: own, leftovers } = documentOf(world, document);
  const locked = Math.max(0, ...job.paths.map((path) => lockedUntil(world, path)));
  if (locked > 0) {
    const waitMs = locked - world.now + LOCK_MARGIN_MS;
    const end: Outcome = { kind: 'wait', waitMs, reason: reason('LOCKED') };
    return [urgent(`${name} finds a leftover locked`, (next) => finish(next, number, end))];
  }
  const foundNothing = (next: World) => finish(next, number, { kind: 'removed', paths, bytes: 0, empty: paths });
  const isHere = world.moved?.copied ?? true;
  const there = paths.filter((path) => isHere && filesIn(world, path).holds !== 'nothing');
  if (there.length === 0) return [urgent(`${name} finds nothing in ${paths.join(', ')}`, foundNothing)];
  // What is not good, or was announced, counts as removed wherever nothing is found.
  const untouched = leftovers.some((leftover) => leftover.path === own && leftover.untouched);
  const elsewhere =
    untouched && paths.every((path) => path === own)
      ? fault(world, 'unmounted', `${name} finds nothing in ${own}, which is not mounted`, foundNothing)
      : [];
  if (!isReachable(worker)) return elsewhere;
  const command: Command = { kind: 'renew', claim, fence, removing: there };
  const announce = (next: World) =>
    ask(next, document, command).kind === 'held' ? setJob(next, number, { phase: 'announced' }) : lost(next, number);
  return [
    urgent(`${name} announces to remove ${there.join(', ')}`, announce),
    ...elsewhere,
    ...fault(world, 'lostAnswer', `${name} announces a removal, unanswered`, (next) => {
      ask(next, document, command);
    }),
  ];
}

function removing(world: World, number: number, job: Job): Step[] {
  const name = nameOf(number);
  return [
    free(`${name} removes ${job.paths.join(', ')}`, (next) => {
      const empty = job.paths.filter((path) => filesIn(next, path).holds === 'nothing');
      for (const path of job.paths) remove(next, job, path, 'nothing');
      finish(next, number, { kind: 'removed', paths: job.paths, bytes: 1, empty });
    }),
    ...fault(world, 'removal', `${name} cannot remove ${job.paths.join(', ')}`, (next) => {
      for (const path of job.paths) remove(next, job, path, 'part');
      finish(next, number, { kind: 'removeFailed', reason: reason('REMOVAL') });
    }),
  ];
}

function remove(world: World, job: Job, path: string, left: 'nothing' | 'part'): void {
  hold(OF_A_REMOVAL, world, job, path);
  world.runs = world.runs.map((run) => (run.path === path ? { ...run, spoiled: true } : run));
  const { holds } = filesIn(world, path);
  setFiles(world, path, { holds: holds === 'nothing' ? 'nothing' : left, lockedUntil: 0 });
}

// --- the end

function ending(world: World, worker: Worker, number: number, job: Job): Step[] {
  if (!isReachable(worker) || !job.end) return [];
  const { claim, fence, document, end } = job;
  const name = `${nameOf(number)} tells ${end.kind} of b${document}`;
  const command: Command =
    end.kind === 'release' ? { kind: 'release', claim, fence } : { kind: 'complete', claim, fence, outcome: end };
  const tell = (next: World) => told(next, number, ask(next, document, command));
  return [
    urgent(name, tell),
    ...fault(world, 'lostAnswer', `${name}, unanswered`, (next) => void ask(next, document, command)),
    ...late(world, document, command, `${name}, doubled`, tell),
  ];
}

function told(world: World, number: number, answer: Answer): void {
  if (answer.kind === 'lost') {
    lost(world, number);
    return;
  }
  if (answer.kind !== 'ok') throw new Violation('what an honest worker tells of its end is never refused');
  const { claim } = jobOf(world, number);
  const records = workerOf(world, number).records.filter((record) => record.claim !== claim);
  setWorker(world, number, { job: null, records });
}

/** T4: `br` is killed, no file is touched, and where it ran that is reported. */
export function lost(world: World, number: number): void {
  const { claim } = jobOf(world, number);
  killOwn(world, number);
  const records = workerOf(world, number).records.map((record) =>
    record.claim === claim ? { ...record, stray: true } : record,
  );
  setWorker(world, number, { job: null, records });
}

function tellStray(world: World, number: number, record: RunRecord): void {
  const { document, claim, fence, path } = record;
  ask(world, document, { kind: 'stray', claim, fence, path });
  setWorker(world, number, { records: workerOf(world, number).records.filter((one) => one !== record) });
}

// --- small things

const nameOf = (number: number) => `w${number}`;

const handBack = (number: number): Outcome => ({
  kind: 'wait',
  waitMs: 60_000,
  reason: UNREACHED,
  handBack: { instance: nameOf(number), passing: false, storage: true },
});

function jobOf(world: World, number: number): Job {
  const { job } = workerOf(world, number);
  if (!job) throw new Error('the worker has no job');
  return job;
}

function setJob(world: World, number: number, change: Partial<Job>): void {
  setWorker(world, number, { job: { ...jobOf(world, number), ...change } });
}

function finish(world: World, number: number, end: End): void {
  setJob(world, number, { phase: 'ended', end });
}

function idle(world: World, number: number): void {
  setWorker(world, number, { job: null });
}

function killOwn(world: World, number: number): void {
  const { claim } = jobOf(world, number);
  for (const run of world.runs.filter((one) => one.claim === claim)) kill(world, run);
}
