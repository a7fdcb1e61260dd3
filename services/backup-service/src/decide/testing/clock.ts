/**
 * Time: it moves on to the next instant at which something is due, and not while somebody has something to do at once,
 * unless a fault makes them slow. On the way every worker that is heard renews its lease, and the guard of one that is
 * not kills its `br`.
 */
import { NEVER } from '../bin.ts';
import { ask } from './commands.ts';
import { kill } from './run.ts';
import { fault, free, type Step } from './step.ts';
import { lost } from './worker.ts';
import { isReachable, KILL_MS, SILENCE_MS, setWorker, type World, workerOf } from './world.ts';

/** @param busy somebody has something to do at once */
export function stepsOfTime(world: World, busy: boolean): Step[] {
  const next = nextInstant(world);
  const passes = (to: number) => (draft: World) => passTo(draft, to);
  const name = `${(next - world.now) / 1_000} s pass`;
  const deadlines = world.documents
    .map(({ deadline }) => deadline.getTime() + 1)
    .filter((deadline) => deadline > world.now);
  return [
    ...(Number.isFinite(next) ? (busy ? fault(world, 'slow', name, passes(next)) : [free(name, passes(next))]) : []),
    ...(deadlines.length > 0 ? fault(world, 'deadline', 'the deadline passes', passes(Math.min(...deadlines))) : []),
  ];
}

function nextInstant(world: World): number {
  const { documents, runs, workers, limits, now } = world;
  const heard = new Set(workers.filter(isReachable).map(({ job }) => job?.claim));
  const over = documents.flatMap(({ deletion }) => (deletion.trashUntil ? [deletion.trashUntil.getTime()] : []));
  const due = documents.flatMap(({ task, leftovers }) => {
    // The lease of a worker that is heard never ends.
    if (!task || (task.claim !== undefined && heard.has(task.claim))) return [];
    const reapable = task.leaseUntil ? [task.leaseUntil.getTime() + limits.reapMarginMs + 1] : [];
    return [
      task.ringAt.getTime(),
      task.notBefore.getTime(),
      ...reapable,
      ...leftovers.map(({ after }) => after.getTime()),
    ];
  });
  const killed = runs.flatMap((run) => {
    const { mode, cut, unheardSince } = workerOf(world, run.worker);
    if (run.until !== undefined) return [run.until];
    return mode === 'frozen' || (mode === 'up' && cut) ? [unheardSince + SILENCE_MS] : [];
  });
  return Math.min(...[...over, ...due, ...killed].filter((instant) => instant > now && instant < NEVER.getTime()));
}

function passTo(world: World, instant: number): void {
  world.now = instant;
  for (const run of world.runs) {
    const { mode, cut, unheardSince } = workerOf(world, run.worker);
    const unheard = instant - unheardSince;
    if (run.until !== undefined && run.until <= instant) kill(world, run, undefined, run.until);
    else if ((mode === 'frozen' || (mode === 'up' && cut)) && unheard >= SILENCE_MS)
      kill(world, run, 'silenced', unheardSince + SILENCE_MS);
    else if (mode === 'hostFrozen' && unheard >= SILENCE_MS - KILL_MS)
      world.runs = world.runs.map((one) => (one === run ? { ...run, exempt: true } : one));
  }
  for (const [number, worker] of world.workers.entries()) {
    const { job } = worker;
    if (!job || job.phase === 'claiming' || !isReachable(worker)) continue;
    const answer = ask(world, job.document, { kind: 'renew', claim: job.claim, fence: job.fence });
    if (answer.kind !== 'held') lost(world, number);
    else if (answer.state === 'Canceling' && job.kind === 'backup')
      setWorker(world, number, { job: { ...job, canceling: true } });
  }
}
