/** What holds in every state that can be reached, whatever goes wrong, each with the sentence that is told when it does not. */
import { leftAsItWas } from '@tidemark/br-restore/end';
import { Violation } from '../../../testing/exploration.ts';
import { isActive, isOver, type Restore } from '../../restore.ts';
import type { RestoreCommand } from '../command.ts';

import { documentOf, type Run, truthOf, type World, workerOf } from './world.ts';

type Sentence = string;
const isPartial = ({ targetState }: Restore) => targetState === 'Partial';
const isOwned = ({ state }: Restore) => state === 'Running' || state === 'Canceling';

const OF_A_DOCUMENT: ReadonlyMap<Sentence, (restore: Restore) => boolean> = new Map([
  [
    'the target is occupied exactly while its restore is active or Partial (R1)',
    (restore: Restore) => restore.activeKey.startsWith('cluster:') === (isActive(restore) || isPartial(restore)),
  ],
  [
    'a slot is held only while it runs (R1)',
    (restore: Restore) => isOwned(restore) || restore.slotKey.startsWith('restore:'),
  ],
  [
    'it has a task exactly as long as work remains (R14)',
    (restore: Restore) =>
      isActive(restore)
        ? restore.task?.kind === 'restore'
        : isPartial(restore)
          ? restore.task === null
          : restore.task?.kind !== 'restore',
  ],
  [
    'it is owned exactly while it runs',
    (restore: Restore) =>
      isOwned(restore) === (restore.task?.claim !== undefined && restore.task.leaseUntil !== undefined),
  ],
  [
    'Canceled was asked for',
    ({ state, cancels }: Restore) => state !== 'Canceled' || cancels.some(({ current }) => current),
  ],
  ['only one cancel is current', ({ cancels }: Restore) => cancels.filter(({ current }) => current).length <= 1],
  ['Succeeded is Restored', ({ state, targetState }: Restore) => state !== 'Succeeded' || targetState === 'Restored'],
  [
    'only what ended Partial is resumable',
    (restore: Restore) => !restore.resumable || (!isActive(restore) && isPartial(restore)),
  ],
  [
    'a target that nobody can have touched is not called Partial (R4)',
    (restore: Restore) =>
      isActive(restore) ||
      !isPartial(restore) ||
      restore.attempts.some(
        ({ starting, outcome, end }) => starting && (outcome === 'lost' || (end && !leftAsItWas(end.kind))),
      ),
  ],
]);

/** @throws Violation */
export function holdDocument(restore: Restore): void {
  for (const [sentence, holds] of OF_A_DOCUMENT) if (!holds(restore)) throw new Violation(sentence);
}

interface Change {
  readonly world: World;
  readonly before: Restore;
  readonly after: Restore;
  readonly command: RestoreCommand;
}

const isNewGrant = ({ before, after }: Change) =>
  after.task?.claim !== undefined && after.task.claim !== before.task?.claim;

const OF_A_CHANGE: ReadonlyMap<Sentence, (change: Change) => boolean> = new Map([
  [
    'what is over never changes',
    ({ before, after }: Change) =>
      !isOver(before) || (after.state === before.state && after.targetState === before.targetState),
  ],
  [
    'Canceling becomes nothing but Canceled',
    ({ before, after }: Change) => before.state !== 'Canceling' || ['Canceling', 'Canceled'].includes(after.state),
  ],
  ['each grant raises the fence', (change: Change) => !isNewGrant(change) || change.after.fence > change.before.fence],
  [
    'only an unowned task is granted, and not before its time (R6)',
    (change: Change) =>
      !isNewGrant(change) ||
      (change.before.task?.claim === undefined &&
        (change.before.task?.notBefore.getTime() ?? Infinity) <= change.world.now),
  ],
  ['nobody claims what is not held (R2)', (change: Change) => !isNewGrant(change) || change.before.held],
  [
    'every attempt after a touch runs the same br (R5)',
    ({ before, after }: Change) =>
      before.brVersion === null || after.brVersion === null || after.brVersion === before.brVersion,
  ],
  [
    'the end of an attempt is written once (R10)',
    ({ before, after }: Change) =>
      before.attempts.every(({ end }, index) => end === null || after.attempts[index]?.end === end),
  ],
]);

/** @throws Violation */
export function holdChange(world: World, before: Restore, after: Restore, command: RestoreCommand): void {
  for (const [sentence, holds] of OF_A_CHANGE)
    if (!holds({ world, before, after, command })) throw new Violation(sentence);
}

/** Of a document within its world, as it was before the step (absent: it was not there) and as it is. */
interface Place {
  readonly world: World;
  readonly number: number;
  readonly before: Restore | undefined;
  readonly restore: Restore;
  /** Its living `br`. */
  readonly runs: readonly Run[];
}

/** R7: what a `br` may do that outlived lease and rest on a frozen host. */
const isExempt = ({ exempted, setting }: World) => exempted && !setting.strictLoss;

const holdsAll = ({ target }: World, number: number) => target.data === 'all' && target.by === number;
const hasFiles = ({ source }: World) => source.deletion.state !== 'Deleted';

const OF_A_PLACE: ReadonlyMap<Sentence, (place: Place) => boolean> = new Map([
  [
    'what br wrote into is never called Untouched (R4)',
    ({ world, number, restore }: Place) =>
      isActive(restore) || restore.targetState !== 'Untouched' || !truthOf(world, number).wrote,
  ],
  [
    'while br writes, its restore says Partial (R4)',
    ({ world, restore, runs }: Place) =>
      isExempt(world) || isPartial(restore) || runs.every(({ phase }) => phase === 'checks'),
  ],
  [
    'no br of a restore that is over is at work',
    ({ restore, runs }: Place) => !isOver(restore) || runs.every(({ exempt }) => exempt),
  ],
  [
    'the source is there as long as a restore may need it (R2)',
    ({ world, restore, runs }: Place) =>
      isExempt(world) ||
      hasFiles(world) ||
      !(
        (restore.held && isActive(restore)) ||
        (isPartial(restore) && restore.resumable) ||
        runs.some(({ exempt }) => !exempt)
      ),
  ],
  [
    'no hold leaks (R2)',
    ({ world, number, restore }: Place) =>
      !isOver(restore) ||
      restore.task !== null ||
      world.copies.some(({ document }) => document === number) ||
      !world.source.holds.includes(`restore:${restore._id}`),
  ],
  [
    'no log is written where br restores (R15)',
    ({ world, runs }: Place) => world.log.observed.state !== 'Running' || runs.every(({ exempt }) => exempt),
  ],
  [
    'the log backup of the target gets it back (R15)',
    ({ world, number, restore }: Place) =>
      !isOver(restore) ||
      restore.task !== null ||
      world.copies.some(({ document }) => document === number) ||
      world.log.block !== restore._id,
  ],
  [
    'Restored only after exit 0 and the summary (R8)',
    ({ world, number, restore }: Place) => restore.targetState !== 'Restored' || truthOf(world, number).proven,
  ],
  [
    'a proven success holds the data (R11)',
    ({ world, number, before, restore }: Place) =>
      isExempt(world) ||
      before?.targetState === 'Restored' ||
      restore.targetState !== 'Restored' ||
      restore.checksums === 'unproven' ||
      holdsAll(world, number),
  ],
  [
    'Failed or Canceled over a complete target says that it may have finished (R9)',
    ({ world, number, restore }: Place) =>
      isExempt(world) ||
      !(restore.state === 'Failed' || restore.state === 'Canceled') ||
      !isPartial(restore) ||
      !holdsAll(world, number) ||
      restore.outcomeUnknown,
  ],
  [
    'an answered cancel, resume or release holds until the next (R12)',
    ({ world, number, restore }: Place) => {
      const { wanted } = truthOf(world, number);
      if (wanted === 'cancel') return restore.state === 'Canceling' || restore.state === 'Canceled';
      if (wanted === 'resume') return restore.state !== 'Canceled';
      return wanted !== 'release' || restore.targetState === 'Released';
    },
  ],
  [
    'a touched target becomes free by a person or a proven success alone (R1)',
    ({ world, number, before, restore }: Place) =>
      !before || !isPartial(before) || restore.targetState !== 'Untouched' || !truthOf(world, number).wrote,
  ],
]);

/** Of a step from one world to the next. @throws Violation */
export function holdWorld(before: World, world: World): void {
  const { runs, setting, documents } = world;
  const works = runs.filter(({ exempt }) => setting.strictLoss || !exempt);
  const others = [world.backup, world.twin].filter((state) => state === 'runs');
  if (works.length + others.length > 1) throw new Violation('never two br on one target (R7)');
  if (
    documents.filter(({ activeKey }) => activeKey.startsWith('cluster:')).length +
      (world.backup === 'waits' || world.backup === 'runs' ? 1 : 0) >
    1
  )
    throw new Violation('one holder of a target (R1)');
  for (const { exempt, worker } of runs)
    if (exempt && workerOf(world, worker).mode !== 'hostFrozen' && !setting.fault.includes('hostFreeze'))
      throw new Violation('no br outlives its lease but on a frozen host (R7)');
  for (const number of documents.keys()) {
    const restore = documentOf(world, number);
    const place = {
      world,
      number,
      before: before.documents[number],
      restore,
      runs: runs.filter((run) => run.document === number),
    };
    for (const [sentence, holds] of OF_A_PLACE) if (!holds(place)) throw new Violation(sentence);
  }
}
