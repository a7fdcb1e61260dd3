/** What a worker does with a restore, step by step, and what may befall it. */
import { Violation } from '../../../testing/exploration.ts';
import type { RestoreAnswer, RestoreCommand } from '../command.ts';
import { ask } from './ask.ts';
import { endOf, kill, vanish } from './br.ts';
import {
  documentOf,
  fault,
  free,
  type Job,
  KILL_MS,
  must,
  runOf,
  SILENCE_MS,
  SPAWN_MS,
  type Step,
  setJob,
  setWorker,
  truthOf,
  urgent,
  versionOf,
  type Worker,
  type World,
  workerOf,
} from './world.ts';

const nameOf = (number: number) => `w${number}`;

export function stepsOfWorkers(world: World): Step[] {
  return world.workers.flatMap((worker, number) => [
    ...befallen(world, worker, number),
    ...(worker.mode === 'up' ? stepsOf(world, worker, number) : []),
  ]);
}

// --- what befalls it

function befallen(world: World, { mode, job }: Worker, number: number): Step[] {
  const name = nameOf(number);
  if (mode === 'down') return [free(`${name} starts again`, (next) => restart(next, number))];
  const crashes = job
    ? [
        ...fault(world, 'crash', `${name} crashes`, (next) => crash(next, number)),
        ...(job.phase !== 'claiming'
          ? fault(world, 'hostGone', `the host of ${name} is gone`, (next) => loseHost(next, number))
          : []),
      ]
    : [];
  if (mode !== 'up') return [free(`${name} wakes`, (next) => wake(next, number)), ...crashes];
  if (!job || job.phase === 'claiming') return crashes;
  const quiet = { unheardSince: world.now };
  return [
    ...crashes,
    ...fault(world, 'freeze', `${name} is frozen`, (next) => setWorker(next, number, { mode: 'frozen', ...quiet })),
    ...(job.phase === 'running'
      ? fault(world, 'hostFreeze', `the host of ${name} is frozen`, (next) =>
          setWorker(next, number, { mode: 'hostFrozen', ...quiet }),
        )
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
  setWorker(world, number, { mode: 'down', job: null });
}

/** Another host takes its place, which knows nothing. */
function loseHost(world: World, number: number): void {
  for (const run of world.runs.filter((one) => one.worker === number)) vanish(world, run);
  setWorker(world, number, { mode: 'up', job: null, record: null });
}

/** Orphans are killed, and what is on record is to be told. */
function restart(world: World, number: number): void {
  for (const run of world.runs.filter((one) => one.worker === number)) kill(world, run);
  const { record } = workerOf(world, number);
  setWorker(world, number, { mode: 'up', record: record && { ...record, late: true } });
}

/** The guard, where it was frozen too, sees how long it heard nothing. */
function wake(world: World, number: number): void {
  const { unheardSince, job } = workerOf(world, number);
  setWorker(world, number, { mode: 'up' });
  if (world.now - unheardSince >= SILENCE_MS - KILL_MS)
    for (const run of world.runs.filter((one) => one.worker === number)) kill(world, run);
  if (!job || job.phase === 'claiming') return;
  // It asks before it goes on.
  const answer = ask(world, job.document, { kind: 'renew', claim: job.claim, fence: job.fence });
  if (answer.kind !== 'held') lost(world, number);
  else if (answer.state === 'Canceling') setJob(world, number, { canceling: true });
}

// --- what it does

function stepsOf(world: World, worker: Worker, number: number): Step[] {
  const name = nameOf(number);
  const { job, record } = worker;
  if (record?.late && !job)
    return [
      urgent(`${name} tells how br of d${record.document} ended`, (next) => {
        const { document, claim, end } = record;
        setWorker(next, number, { record: null });
        ask(next, document, { kind: 'lateEnd', claim, ...(end && { end }) });
      }),
    ];
  if (!job) return receiving(world, number);
  const restore = documentOf(world, job.document);
  const hears =
    job.phase !== 'claiming' && !job.canceling && restore.state === 'Canceling' && restore.task?.claim === job.claim;
  return [
    ...(hears ? [free(`${name} hears of the cancel`, (next) => setJob(next, number, { canceling: true }))] : []),
    ...(job.phase === 'claiming' ? claiming(world, number, job) : []),
    ...(job.phase === 'granted' ? looking(world, number, job) : []),
    ...(job.phase === 'started' ? spawning(world, number, job) : []),
    ...(job.phase === 'running' ? running(world, number, job) : []),
    ...(job.phase === 'ended' ? telling(world, number, job) : []),
    ...(job.phase !== 'claiming' && job.phase !== 'ended' && !job.draining
      ? fault(world, 'drain', `${name} is to stop`, (next) => setJob(next, number, { draining: true }))
      : []),
  ];
}

function receiving(world: World, number: number): Step[] {
  return world.bells.flatMap((rings, document) => {
    if (!rings) return [];
    const take = (next: World) => {
      next.tokens += 1;
      const job: Job = {
        document,
        claim: `t${next.tokens}`,
        phase: 'claiming',
        fence: 0,
        canceling: false,
        draining: false,
        sentAt: 0,
      };
      setWorker(next, number, { job });
    };
    const takeOnly = (next: World) => {
      next.bells[document] = false;
      take(next);
    };
    return [
      urgent(`${nameOf(number)} receives d${document}`, takeOnly),
      ...fault(world, 'doubledMessage', `${nameOf(number)} receives d${document}, and a copy stays`, take),
    ];
  });
}

function claiming(world: World, number: number, { document, claim }: Job): Step[] {
  const name = `${nameOf(number)} claims d${document} as ${claim}`;
  const brVersions = [versionOf(world, number)];
  const command: RestoreCommand = {
    kind: 'claim',
    claim,
    worker: nameOf(number),
    pool: 'default',
    brVersions,
    replaysLogs: true,
    slotKey: 's',
  };
  const releases = (next: World) => {
    ask(next, document, { kind: 'release', claim, end: endOf('none') });
    setWorker(next, number, { job: null });
  };
  return [
    urgent(name, (next) => {
      const answer = ask(next, document, command);
      if (answer.kind !== 'grant') setWorker(next, number, { job: null });
      else setJob(next, number, { phase: 'granted', fence: answer.fence });
    }),
    ...fault(world, 'noBr', `${name} without a br that fits, as all others are`, (next) => {
      ask(next, document, { ...command, misfit: { nowhere: 'No worker has a br that fits.' } });
      setWorker(next, number, { job: null });
    }),
    ...fault(world, 'lostAnswer', `${name}, unanswered, and will again`, (next) => void ask(next, document, command)),
    ...fault(world, 'lostAnswer', `${name}, unanswered, and releases it`, (next) => {
      ask(next, document, command);
      releases(next);
    }),
    ...late(world, document, command, `${name} in vain, and releases it`, releases),
  ];
}

/** A copy of the call stays under way. */
function late(world: World, document: number, command: RestoreCommand, name: string, act: Step['act']): Step[] {
  if (world.late.length > 0) return [];
  return fault(world, 'lateCall', name, (next) => {
    next.late = [...next.late, { document, command }];
    act(next);
  });
}

/** Before anything is announced. */
function looking(world: World, number: number, job: Job): Step[] {
  const name = nameOf(number);
  const { document, claim, fence } = job;
  const early = stopsEarly(name, number, job);
  if (early) return [early];
  if (world.source.deletion.state === 'Deleted')
    return [urgent(`${name} finds no backup`, (next) => finish(next, number, 'refused'))];
  const version = versionOf(world, number);
  const starting = {
    brVersion: version,
    host: name,
    hasCheckpoint: world.setting.checkpoint,
    argv: ['restore', version],
  };
  const command: RestoreCommand = { kind: 'renew', claim, fence, starting };
  const announce = (next: World) => announced(next, number, ask(next, document, command));
  return [
    urgent(`${name} announces br`, announce),
    ...fault(world, 'storage', `${name} finds the storage away`, (next) => finish(next, number, 'wait')),
    ...fault(world, 'storage', `${name} finds a damaged file`, (next) => finish(next, number, 'refused')),
    ...fault(world, 'lostAnswer', `${name} announces br, unanswered`, (next) => void ask(next, document, command)),
    ...late(world, document, command, `${name} announces br, which is under way for long`, () => {}),
  ];
}

/** Where it is canceled or drained before `br` was started. */
function stopsEarly(name: string, number: number, { canceling, draining }: Job): Step | undefined {
  if (canceling) return urgent(`${name} stops before br began`, (next) => finish(next, number, 'none'));
  if (draining) return urgent(`${name} gives it back before br began`, (next) => finish(next, number, 'none', true));
  return undefined;
}

function announced(world: World, number: number, answer: RestoreAnswer): void {
  if (answer.kind !== 'held') lost(world, number);
  else if (answer.mayStart) setJob(world, number, { phase: 'started', sentAt: world.now });
  else finish(world, number, 'none', answer.state !== 'Canceling');
}

function spawning(world: World, number: number, job: Job): Step[] {
  const name = nameOf(number);
  const early = stopsEarly(name, number, job);
  if (early) return [early];
  if (world.now - job.sentAt > SPAWN_MS)
    return [urgent(`${name} was too slow to start br`, (next) => finish(next, number, 'none', true))];
  return [urgent(`${name} starts br for d${job.document}`, (next) => spawn(next, number, job))];
}

function spawn(world: World, number: number, { document, claim }: Job): void {
  const { lastEnd } = truthOf(world, document);
  const restore = documentOf(world, document);
  if (restore.task?.claim === claim && world.now - lastEnd < world.limits.restMs)
    throw new Violation('br does not start before the last one has rested (R6)');
  if (restore.task?.claim === claim && !restore.attempts.find((attempt) => attempt.claim === claim)?.starting)
    throw new Violation('no spawn without an answered `starting` (R4)');
  world.runs = [...world.runs, { document, claim, worker: number, phase: 'checks', exempt: false }];
  setWorker(world, number, { record: { document, claim, late: false } });
  setJob(world, number, { phase: 'running' });
}

function running(world: World, number: number, job: Job): Step[] {
  const name = nameOf(number);
  const run = runOf(world, job.claim);
  if (!run) return [urgent(`${name} sees the end of br`, (next) => conclude(next, number))];
  if (job.canceling || (job.draining && world.setting.checkpoint))
    return [urgent(`${name} stops br`, (next) => kill(next, run))];
  return [];
}

function conclude(world: World, number: number): void {
  const { record, job } = workerOf(world, number);
  const end = record?.end ?? endOf('stopped');
  const wasStopped = end.kind === 'stopped' || end.kind === 'afterSummary';
  setJob(world, number, { phase: 'ended', end, ...(must(job).draining && wasStopped && { givesBack: true }) });
}

function finish(world: World, number: number, kind: Parameters<typeof endOf>[0], givesBack = false): void {
  setJob(world, number, { phase: 'ended', end: endOf(kind), ...(givesBack && { givesBack: true }) });
}

function telling(world: World, number: number, { document, claim, fence, end, givesBack }: Job): Step[] {
  if (!end) return [];
  const command: RestoreCommand = { kind: givesBack ? 'release' : 'complete', claim, fence, end };
  const name = `${nameOf(number)} tells ${givesBack ? 'release' : 'end'} of d${document}: ${end.kind}`;
  const tell = (next: World) => told(next, number, ask(next, document, command));
  return [
    urgent(name, tell),
    ...fault(world, 'lostAnswer', `${name}, unanswered`, (next) => void ask(next, document, command)),
    ...late(world, document, command, `${name}, which is under way for long`, () => {}),
  ];
}

function told(world: World, number: number, answer: RestoreAnswer): void {
  if (answer.kind === 'lost') {
    lost(world, number);
    return;
  }
  if (answer.kind !== 'ok') throw new Violation('what an honest worker tells of its end is never refused');
  setWorker(world, number, { job: null, record: null });
}

/** `br` is stopped, nothing is touched, and how it ended is told late. */
export function lost(world: World, number: number): void {
  const { job } = workerOf(world, number);
  const run = runOf(world, must(job).claim);
  if (run) kill(world, run);
  const { record } = workerOf(world, number);
  setWorker(world, number, { job: null, record: record && { ...record, late: true } });
}
