/** The life of a `br`: it writes, it ends by itself, it is killed; whether or not anybody still wants it. */
import { fault, free, type Step } from './step.ts';
import { type Exit, filesIn, LOCK_MS, type Run, setFiles, setWorker, type World, workerOf } from './world.ts';

/** What each living `br` may do next. */
export function stepsOfRuns(world: World): Step[] {
  return world.runs.flatMap((run) => {
    const name = `br of ${run.claim} in ${run.path}`;
    const { holds } = filesIn(world, run.path);
    const complete = holds === 'all' || holds === 'bad';
    return [
      ...(holds === 'nothing'
        ? [free(`${name} writes again`, (next) => setFiles(next, run.path, { holds: 'part' }))]
        : []),
      ...(holds === 'part'
        ? [free(`${name} has written all`, (next) => setFiles(next, run.path, { holds: run.spoiled ? 'bad' : 'all' }))]
        : []),
      ...(complete ? [free(`${name} exits with 0`, (next) => exits(next, run, 'done'))] : []),
      ...fault(world, 'brRetry', `${name} fails`, (next) => exits(next, run, 'retry')),
      ...fault(world, 'brPermanent', `${name} fails for good`, (next) => exits(next, run, 'permanent')),
      // Where it could say so after writing backupmeta, nobody takes that for a proof (br-contract 5.5).
      ...(complete
        ? []
        : fault(world, 'brNewPath', `${name} finds its path unusable`, (next) => exits(next, run, 'newPath'))),
    ];
  });
}

/** It ends by itself, and takes its lock along. */
function exits(world: World, run: Run, exit: Exit): void {
  forget(world, run);
  const { endedBadly } = filesIn(world, run.path);
  setFiles(world, run.path, {
    lockedUntil: 0,
    endedBadly: exit === 'done' || run.exempt ? endedBadly : world.now,
  });
  tell(world, run, exit);
}

/** It is killed, a while ago perhaps, and its lock stays behind. */
export function kill(world: World, run: Run, exit?: Exit, at = world.now): void {
  forget(world, run);
  const { endedBadly, lockedUntil } = filesIn(world, run.path);
  setFiles(world, run.path, {
    lockedUntil: run.lock ? at + LOCK_MS : lockedUntil,
    endedBadly: run.exempt ? endedBadly : at,
  });
  if (exit) tell(world, run, exit);
}

function forget(world: World, run: Run): void {
  world.runs = world.runs.filter((other) => other !== run);
}

/** Its worker hears of it, if that still works under its claim. */
function tell(world: World, run: Run, exit: Exit): void {
  const { job } = workerOf(world, run.worker);
  if (job?.claim === run.claim) setWorker(world, run.worker, { job: { ...job, exit } });
}
