/**
 * Time: it moves on to the next instant at which something is due, and not while somebody has something to do at once, unless a fault
 * makes them slow. On the way every worker that is heard renews its lease, and the guard of one that is not kills its `br`.
 */
import { ask } from './ask.ts';
import { kill } from './br.ts';
import { lost } from './worker.ts';
import { documentOf, fault, free, type Run, SILENCE_MS, type Step, setJob, type World, workerOf } from './world.ts';

/** @param busy somebody has something to do at once */
export function stepsOfTime(world: World, busy: boolean): Step[] {
  const next = nextInstant(world);
  const passes = (to: number) => (draft: World) => passTo(draft, to);
  const name = `${(next - world.now) / 1_000} s pass`;
  const deadlines = world.documents
    .filter(({ state, deadline }) => state === 'Queued' && deadline.getTime() >= world.now)
    .map(({ deadline }) => deadline.getTime() + 1);
  return [
    ...(Number.isFinite(next) ? (busy ? fault(world, 'slow', name, passes(next)) : [free(name, passes(next))]) : []),
    ...(deadlines.length > 0 ? fault(world, 'deadline', 'the deadline passes', passes(Math.min(...deadlines))) : []),
  ];
}

function nextInstant(world: World): number {
  const { documents, runs, workers, limits, now } = world;
  const heard = new Set(workers.filter(({ mode }) => mode === 'up').map(({ job }) => job?.claim));
  const due = documents.flatMap(({ task, quietUntil }) => {
    const quiet = quietUntil ? [quietUntil.getTime()] : [];
    // The lease of a worker that is heard never ends.
    if (!task || (task.claim !== undefined && heard.has(task.claim))) return quiet;
    const reapable = task.leaseUntil ? [task.leaseUntil.getTime() + limits.reapMarginMs + 1] : [];
    return [task.ringAt.getTime(), task.notBefore.getTime(), ...reapable, ...quiet];
  });
  const killed = runs.flatMap((run) => {
    if (run.until !== undefined) return [run.until];
    const { mode, unheardSince } = workerOf(world, run.worker);
    return mode === 'frozen' ? [unheardSince + SILENCE_MS] : [];
  });
  return Math.min(...[...due, ...killed].filter((instant) => instant > now));
}

function passTo(world: World, instant: number): void {
  world.now = instant;
  for (const run of world.runs) {
    const { mode, unheardSince } = workerOf(world, run.worker);
    if (run.until !== undefined && run.until <= instant) kill(world, run);
    else if (mode === 'frozen' && instant - unheardSince >= SILENCE_MS) kill(world, run);
    else if (mode === 'hostFrozen' && isForgotten(world, run)) exempt(world, run);
  }
  for (const [number, { mode, job }] of world.workers.entries()) {
    if (mode !== 'up' || !job || job.phase === 'claiming') continue;
    const answer = ask(world, job.document, { kind: 'renew', claim: job.claim, fence: job.fence });
    if (answer.kind !== 'held') lost(world, number);
    else if (answer.state === 'Canceling') setJob(world, number, { canceling: true });
  }
}

/** R7: the rest after its loss is over, and it still lives. */
function isForgotten(world: World, { document }: Run): boolean {
  const { quietUntil } = documentOf(world, document);
  return quietUntil !== null && quietUntil.getTime() <= world.now;
}

function exempt(world: World, run: Run): void {
  world.exempted = true;
  world.runs = world.runs.map((one) => (one === run ? { ...run, exempt: true } : one));
}
