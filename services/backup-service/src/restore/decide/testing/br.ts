/** What a living `br` may do, as a real one was seen to. */

import type { EndKind } from '@tidemark/br-restore/end';
import { Violation } from '../../../testing/exploration.ts';
import type { End } from '../../restore.ts';
import { fault, free, type Run, type Step, setTruth, setWorker, versionOf, type World, workerOf } from './world.ts';

const RESULT = { sizeBytes: 7, seconds: 1, summary: 'Full Restore success summary' };

/** How it ends, as its guard takes it down. */
export const endOf = (kind: EndKind, checkpointLeft = false): End => ({
  kind,
  reason: { code: kind, message: kind },
  ...(kind === 'succeeded' && { result: RESULT }),
  ...(checkpointLeft && { checkpointLeft: true }),
});

export function stepsOfRuns(world: World): Step[] {
  return world.runs.flatMap((run) => {
    const name = `br of d${run.document} (${run.claim})`;
    const ways = { checks: checking, writing, summary: ending };
    return ways[run.phase](world, run, name);
  });
}

const hasFiles = ({ source }: World) => source.deletion.state !== 'Deleted';

function checking(world: World, run: Run, name: string): Step[] {
  const { target, setting } = world;
  const ends = (kind: EndKind) => (next: World) => exits(next, run, endOf(kind));
  if (!hasFiles(world)) return [free(`${name} finds no backup`, ends('refused'))];
  const faults = [
    ...fault(world, 'brFails', `${name} does not reach PD`, ends('failedBefore')),
    ...fault(world, 'brFails', `${name} refuses`, ends('refused')),
  ];
  if (!setting.blind && !target.checkpoint && (target.data !== 'none' || target.users))
    return [...faults, free(`${name} finds a target that is not fresh`, ends('notFresh'))];
  return [...faults, free(`${name} passes its checks and writes`, (next) => begins(next, run))];
}

function begins(world: World, run: Run): void {
  const { target, setting } = world;
  const version = versionOf(world, run.worker);
  if (target.users) throw new Violation('br never writes over data of users (R13)');
  const { checkpoint, data } = target;
  if (checkpoint?.by === run.document && checkpoint.version !== version)
    throw new Violation('one version of br goes on at a checkpoint (R5)');
  world.target = {
    // Over what a run before it had finished it writes the same rows again.
    data: data === 'wrong' || (data === 'all' && setting.blind) ? data : 'part',
    by: run.document,
    checkpoint: checkpoint ?? (setting.checkpoint ? { by: run.document, version } : null),
    users: false,
  };
  world.runs = world.runs.map((one) => (one === run ? { ...run, phase: 'writing' } : one));
  setTruth(world, run.document, { wrote: true, ...(!run.exempt && { proven: false }) });
}

function writing(world: World, run: Run, name: string): Step[] {
  const { target, setting } = world;
  const spoils = (next: World) => {
    next.target = { ...next.target, data: 'wrong' };
    exits(next, run, endOf('dirty'));
  };
  if (!hasFiles(world)) return [free(`${name} misses a file of the backup`, spoils)];
  if (setting.checkpoint && !target.checkpoint) return [free(`${name} misses its checkpoint at its end`, spoils)];
  return [
    free(`${name} has written all, and says so`, (next) => {
      next.runs = next.runs.map((one) => (one === run ? { ...run, phase: 'summary' } : one));
      if (next.target.data !== 'wrong') next.target = { ...next.target, data: 'all', by: run.document };
    }),
    ...fault(world, 'brFails', `${name} fails`, (next) => exits(next, run, endOf('failed'))),
    ...fault(world, 'brMismatch', `${name} finds wrong checksums`, spoils),
  ];
}

function ending(world: World, run: Run, name: string): Step[] {
  const succeeds = (left: boolean) => (next: World) => {
    setTruth(next, run.document, { proven: true });
    exits(next, run, endOf('succeeded', left));
  };
  return [
    ...(world.target.checkpoint
      ? [
          free(`${name} removes its checkpoint`, (next) => {
            next.target = { ...next.target, checkpoint: null };
          }),
          ...fault(world, 'checkpointStays', `${name} exits with 0, its checkpoint stays`, succeeds(true)),
        ]
      : [free(`${name} exits with 0`, succeeds(false))]),
    ...fault(world, 'brKilled', `${name} is killed after its summary`, (next) => kill(next, run)),
  ];
}

/** It ends, and its guard takes down how. */
function exits(world: World, run: Run, end: End): void {
  world.runs = world.runs.filter((one) => one !== run);
  if (run.phase !== 'checks' && !run.exempt) setTruth(world, run.document, { lastEnd: world.now });
  const { record } = workerOf(world, run.worker);
  if (record?.claim === run.claim) setWorker(world, run.worker, { record: { ...record, end } });
}

/** It is stopped by a signal, a while ago perhaps. */
export function kill(world: World, run: Run): void {
  exits(world, run, endOf(run.phase === 'summary' ? 'afterSummary' : 'stopped'));
}

/** It is gone with its host, and nobody took down how. */
export function vanish(world: World, run: Run): void {
  world.runs = world.runs.filter((one) => one !== run);
  if (run.phase !== 'checks' && !run.exempt) setTruth(world, run.document, { lastEnd: world.now });
}
