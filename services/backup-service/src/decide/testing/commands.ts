/** How the world asks its documents: as the store does, with the same checks after every answer. */
import type { Backup } from '../../backup.ts';
import { Violation } from '../../testing/exploration.ts';
import type { Answer, Command, Decision } from '../command.ts';
import { attemptOf, ownKey } from '../vocabulary.ts';
import { hasNewerGood, hold, OF_A_CHANGE, OF_A_DOCUMENT } from './invariants.ts';
import { documentOf, peersIn, type World } from './world.ts';

/**
 * Applies a command to a document of the world, which is changed.
 *
 * @throws Violation
 */
export function ask(world: World, number: number, asked: Command): Answer {
  const before = documentOf(world, number);
  const command = withFindings(world, number, before, asked);
  const now = new Date(world.now);
  const decision = world.decide(before, command, now, world.limits);
  const { answer, next, ring } = decision;
  if (ring) world.bells[number] = true;
  if (next) {
    const after: Backup = { ...next, revision: before.revision + 1 };
    hold(OF_A_DOCUMENT, after);
    hold(OF_A_CHANGE, { world, number, command, before, after, answer });
    changeOnce(world, { ...decision, next: after }, command, now);
    world.documents[number] = after;
    world.owners = { ...world.owners, [after.path]: number };
  }
  if (command.kind === 'cancel' && answer.kind === 'ok') world.promised[number] = true;
  recognizeRepeats(before, command, answer);
  world.onAsked?.({
    number,
    documents: world.documents.length,
    command: asked,
    at: now,
    answer,
    before,
    backup: documentOf(world, number),
    denied: world.denied,
    peers: peersIn(world),
  });
  return answer;
}

/** What the store finds out before it decides. */
function withFindings(world: World, number: number, backup: Backup, command: Command): Command {
  if (command.kind === 'delete') {
    const trashMs = world.setting.trashMs ?? 0;
    return { ...command, newerGood: hasNewerGood(world, number), trashMs };
  }
  if (command.kind === 'expire') return { ...command, newerGood: hasNewerGood(world, number) };
  if (command.kind === 'complete' && command.outcome.kind === 'wait' && command.outcome.handBack)
    return { ...command, peers: peersIn(world) };
  if (command.kind === 'complete' && world.moved)
    return { ...command, moved: { at: world.moved.at, from: 'the first place' } };
  if (command.kind !== 'claim') return command;
  const { slotKey: _, ...claim } = command;
  const slotKey = freeSlot(world, backup);
  return {
    ...claim,
    peers: peersIn(world),
    ...(slotKey !== undefined && { slotKey }),
    ...(world.denied && backup.state === 'Queued' && { storageDenied: true }),
    newerGood: hasNewerGood(world, number),
  };
}

/** A slot that is free, for those that were accepted first of those that wait (`slots.ts`). */
function freeSlot({ documents, now }: World, backup: Backup): string | undefined {
  const { id, maxConcurrent } = backup.storage;
  if (maxConcurrent === 0) return ownKey(backup);
  const slots = Array.from({ length: maxConcurrent }, (_, index) => `storage:${id}:${index + 1}`);
  const free = slots.filter((slot) => !documents.some(({ slotKey }) => slotKey === slot));
  const line = documents
    .filter(({ state, task }) => state === 'Queued' && task && task.notBefore.getTime() <= now)
    .sort((one, other) => one.startTime.getTime() - other.startTime.getTime());
  return line.slice(0, free.length).includes(backup) ? free[0] : undefined;
}

/** A command that is decided again, because its outcome was unknown, finds its own effect. */
function changeOnce({ decide, limits }: World, first: Decision & { next: Backup }, command: Command, now: Date): void {
  if (command.kind === 'reap') return; // the deadline may be next
  const again = decide(first.next, command, now, limits);
  const { revision } = first.next;
  if (again.next && !isSame({ ...again.next, revision }, first.next))
    throw new Violation(`${command.kind}, twice or late, changes at most once`);
  const forgotten = again.answer.kind === 'lost' && first.next.attempts.every((one) => one.claim !== claimOf(command));
  if (!forgotten && !isSame(again.answer, first.answer))
    throw new Violation(`${command.kind}, asked again, is answered as the first time`);
}

/** T5, of calls that come later still. */
function recognizeRepeats(before: Backup, command: Command, answer: Answer): void {
  if (command.kind !== 'complete') return;
  const { outcome } = attemptOf(before, command.claim) ?? {};
  if (outcome === undefined) return;
  if ((outcome === command.outcome.kind) !== (answer.kind === 'ok'))
    throw new Violation('a repeat of a completion is answered as the first time, and one of a lost attempt LOST');
}

const claimOf = (command: Command) => ('claim' in command ? command.claim : undefined);

/** Deeply; what was not copied is the same at once. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || !one || !other) return false;
  if (one instanceof Date && other instanceof Date) return one.getTime() === other.getTime();
  const [ones, others] = [Object.entries(one), new Map(Object.entries(other))];
  return ones.length === others.size && ones.every(([key, value]) => isSame(value, others.get(key)));
}
