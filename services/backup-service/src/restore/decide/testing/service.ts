/** What the copies of the service do by themselves: ring, reap, hold the source, give the hold back; and what is under way. */
import { decide } from '../../../decide/decide.ts';
import { limitsOf } from '../../../decide/testing/world.ts';
import type { LogCommand } from '../../../log/decide/command.ts';
import { decideLog } from '../../../log/decide/decide.ts';
import { Violation } from '../../../testing/exploration.ts';
import { ask, decideIn } from './ask.ts';
import {
  type Copy,
  type CopyStep,
  documentOf,
  fault,
  free,
  isTakenByItsOtherName,
  type Step,
  urgent,
  type World,
} from './world.ts';

export function stepsOfService(world: World): Step[] {
  return [...dispatching(world), ...world.copies.flatMap((copy) => working(world, copy)), ...underWay(world)];
}

/** Whoever is due is reaped or rung, or a copy begins the step that is due. */
function dispatching(world: World): Step[] {
  const now = new Date(world.now);
  return world.documents.flatMap((restore, number) => {
    if (!restore.task || restore.task.ringAt > now) return [];
    if (world.decide(restore, { kind: 'reap' }, now, world.limits).next)
      return [urgent(`d${number} is reaped`, (next) => void ask(next, number, { kind: 'reap' }))];
    const { step } = world.decide(restore, { kind: 'ring' }, now, world.limits);
    if (step && world.copies.length >= world.setting.copies) return [];
    return [
      urgent(`d${number} is rung${step ? `: ${step}` : ''}`, (next) => {
        const decision = decideIn(next, number, { kind: 'ring' });
        if (decision.step) next.copies = [...next.copies, { step: decision.step, document: number }];
      }),
    ];
  });
}

/** Each step is as late as a copy may be slow. */
function working(world: World, copy: Copy): Step[] {
  const { document, step } = copy;
  const name = `a copy at d${document}`;
  const then = (to: CopyStep) => (next: World) => {
    next.copies = next.copies.map((one) => (one === copy ? { ...copy, step: to } : one));
  };
  const done = (next: World) => {
    next.copies = next.copies.filter((one) => one !== copy);
  };
  const asks = (command: Parameters<typeof ask>[2]) => (next: World) => {
    done(next);
    ask(next, document, command);
  };
  const unclean = world.documents.find((other, number) => number !== document && other.needsCleaning);
  const steps: Readonly<Record<CopyStep, () => Step>> = {
    hold: () =>
      isTakenByItsOtherName(world)
        ? free(`${name} sees that the target is taken`, asks({ kind: 'targetTaken', message: 'A restore has it.' }))
        : unclean
          ? free(
              `${name} sees that the target was not cleaned`,
              asks({ kind: 'targetUnclean', restoreId: unclean._id }),
            )
          : free(`${name} holds the source`, (next) =>
              then(!holdSource(next, document) ? 'refused' : world.setting.log ? 'block' : 'held')(next),
            ),
    block: () =>
      free(`${name} takes the target from its log backup`, (next) =>
        then(block(next, document) ? 'held' : 'logs')(next),
      ),
    logs: () => free(`${name} writes that a log is in the way`, asks({ kind: 'targetLogs', message: 'Turn it off.' })),
    held: () => free(`${name} writes held`, asks({ kind: 'held' })),
    refused: () => free(`${name} writes that the source is gone`, asks({ kind: 'sourceGone' })),
    unhold: () =>
      free(`${name} gives the hold back`, (next) => {
        askSource(next, { kind: 'unhold', id: holdOf(next, document) });
        if (next.setting.log) askLog(next, { kind: 'giveBack', restoreId: documentOf(next, document)._id });
        then('unheld')(next);
      }),
    unheld: () => free(`${name} writes that nothing is left to do`, asks({ kind: 'unheld' })),
  };
  return [steps[step](), ...fault(world, 'copyCrash', `${name} dies`, done)];
}

const holdOf = (world: World, document: number) => `restore:${documentOf(world, document)._id}`;

function holdSource(world: World, document: number): boolean {
  const id = holdOf(world, document);
  const wasGivenBack = world.source.unheld?.includes(id) === true;
  const isHeld = askSource(world, { kind: 'hold', id });
  if (isHeld && wasGivenBack) throw new Violation('a hold that was given back is never taken again (R3)');
  return isHeld;
}

function block(world: World, document: number): boolean {
  const { _id: restoreId } = documentOf(world, document);
  return askLog(world, { kind: 'block', restoreId });
}

/** Asks the log backup of the target, by its own table. */
function askLog(world: World, command: LogCommand): boolean {
  const { answer, next } = decideLog(world.log, command, new Date(world.now), world.limits);
  if (next) world.log = next;
  return answer.kind === 'ok';
}

/** Asks the backup that is read, by its own table. */
export function askSource(world: World, command: Parameters<typeof decide>[1]): boolean {
  const { answer, next } = decide(world.source, command, new Date(world.now), limitsOf({}));
  if (next) world.source = next;
  return answer.kind === 'ok';
}

/** Messages that vanish, and calls that arrive late or never. */
function underWay(world: World): Step[] {
  const messages = world.bells.flatMap((rings, number) =>
    rings
      ? fault(world, 'lostMessage', `the message of d${number} is lost`, (next) => {
          next.bells[number] = false;
        })
      : [],
  );
  const calls = world.late.flatMap((call) => {
    const name = `the late ${call.command.kind} of d${call.document}`;
    const gone = (next: World) => {
      next.late = next.late.filter((one) => one !== call);
    };
    return [
      free(`${name} vanishes`, gone),
      free(`${name} arrives`, (next) => {
        gone(next);
        ask(next, call.document, call.command);
      }),
    ];
  });
  return [...messages, ...calls];
}
