/** How the world asks its documents: as the store does, with the same checks after every answer. */
import { Violation } from '../../../testing/exploration.ts';
import type { Restore } from '../../restore.ts';
import type { RestoreAnswer, RestoreCommand, RestoreDecision } from '../command.ts';
import { holdChange, holdDocument } from './invariants.ts';
import { documentOf, type World } from './world.ts';

/** Applies a command to a document of the world, which is changed. @throws Violation */
export function ask(world: World, number: number, command: RestoreCommand): RestoreAnswer {
  return decideIn(world, number, command).answer;
}

/** The same, for those who look at what follows. @throws Violation */
export function decideIn(world: World, number: number, command: RestoreCommand): RestoreDecision {
  const before = documentOf(world, number);
  const now = new Date(world.now);
  const decision = world.decide(before, command, now, world.limits);
  const { next } = decision;
  if (decision.ring) world.bells[number] = true;
  if (next) {
    holdDocument(next);
    holdChange(world, before, next, command);
    changeOnce(world, { ...decision, next }, command, now);
    world.documents[number] = next;
  }
  return decision;
}

/** A command that is decided again, because its outcome was unknown, finds its own effect. */
function changeOnce(
  { decide, limits }: World,
  first: RestoreDecision & { readonly next: Restore },
  command: RestoreCommand,
  now: Date,
): void {
  if (command.kind === 'reap' || command.kind === 'ring') return; // what is due next may be another thing
  const again = decide(first.next, command, now, limits);
  if (again.next && JSON.stringify(again.next) !== JSON.stringify(first.next))
    throw new Violation(`${command.kind}, twice or late, changes at most once`);
  if (JSON.stringify(again.answer) !== JSON.stringify(first.answer))
    throw new Violation(`${command.kind}, asked again, is answered as the first time`);
}
