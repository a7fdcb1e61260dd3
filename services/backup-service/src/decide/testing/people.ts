/** What people, retention and the dispatcher ask of the documents, and the calls and messages that are under way. */
import { isActive } from '../../backup.ts';
import type { Command } from '../command.ts';
import { ask } from './commands.ts';
import { fault, free, type Step, urgent, wish } from './step.ts';
import { accepted, filesIn, type Wish, type World } from './world.ts';

const CANCEL: Command = { kind: 'cancel', requestId: 'c', by: 'alice', reason: '' };
/** What the store finds out is found out when it is asked. */
const DELETE = { kind: 'delete', reason: '', newerGood: false, trashMs: 0 } as const;
const WISHES: readonly (readonly [Wish, Command])[] = [
  ['cancel', CANCEL],
  ['delete', { ...DELETE, by: { kind: 'person', name: 'alice' }, requestId: 'd' }],
  ['retention', { ...DELETE, by: { kind: 'retention', name: 'r' }, requestId: 'e' }],
  ['undelete', { kind: 'undelete', requestId: 'u' }],
  ['deleteForGood', { ...DELETE, by: { kind: 'person', name: 'alice' }, requestId: 'p', permanently: true }],
  ['forget', { kind: 'forget', by: { kind: 'person', name: 'root' }, reason: '', requestId: 'f', gone: false }],
  ['forgetGone', { kind: 'forget', by: { kind: 'person', name: 'root' }, reason: '', requestId: 'g', gone: true }],
  ['pin', { kind: 'pin', id: 'pin:1' }],
  ['unpin', { kind: 'unpin' }],
  ['nudge', { kind: 'nudge' }],
  ['retry', { kind: 'retry' }],
];

export function stepsOfPeople(world: World): Step[] {
  const asking = world.documents.flatMap((_, number) =>
    WISHES.flatMap(([which, command]) => [
      ...wish(world, which, `b${number}: ${which}`, (next) => void ask(next, number, command)),
      ...(which === 'cancel' && world.late.length === 0 && world.wishes > 0 && world.setting.wish.includes('cancel')
        ? fault(world, 'lateCall', `b${number}: cancel, which is under way`, (next) => {
            next.wishes -= 1;
            next.late = [{ document: number, command }];
          })
        : []),
    ]),
  );
  // A rebuild offers what is whole in its path.
  const rebuilding = world.documents.flatMap(({ path, deletion, storage }, number) =>
    deletion.state === 'Forgotten' && world.moved?.copied !== false && filesIn(world, path).holds === 'all'
      ? wish(
          world,
          'rebuild',
          `b${number} is found by a rebuild`,
          (next) => void ask(next, number, { kind: 'remember', storage }),
        )
      : [],
  );
  return [
    ...asking,
    ...rebuilding,
    ...(world.denied
      ? [
          free('the storage is opened again', (next) => {
            next.denied = false;
          }),
        ]
      : fault(world, 'deny', 'the storage is closed to the clusters', (next) => {
          next.denied = true;
        })),
    ...moving(world),
    ...(world.further > 0 ? wish(world, 'start', 'one more backup is asked for', startFurther) : []),
  ];
}

/** Nobody is at a backup when a move is taken down, and what is asked for later is written to the new place. */
function moving(world: World): Step[] {
  const { moved, documents, now } = world;
  if (moved?.copied) return [];
  if (moved)
    return [
      free('the files are copied to where the storage was moved', (next) => {
        next.moved = { ...moved, copied: true };
      }),
    ];
  if (documents.some((backup) => isActive(backup) || backup.task?.claim !== undefined)) return [];
  return fault(world, 'moved', 'the storage is said to be moved', (next) => {
    next.moved = { at: new Date(now), copied: false };
  });
}

/** Of the first one's cluster, which the unique `activeKey` allows only while that is free. */
function startFurther(world: World): void {
  const backup = accepted(world.documents.length, 0, world.now + 1, world.setting);
  if (world.documents.some(({ activeKey }) => activeKey === backup.activeKey)) return;
  world.further -= 1;
  world.documents.push(backup);
  world.bells.push(false);
  world.promised.push(false);
  world.owners = { ...world.owners, [backup.path]: world.documents.length - 1 };
}

/** Whoever is due is reaped, rung, or let go from the bin. */
export function stepsOfDispatcher(world: World): Step[] {
  const { decide, limits } = world;
  const now = new Date(world.now);
  const expire: Command = { kind: 'expire', newerGood: false };
  return world.documents.flatMap((backup, number) => {
    if (decide(backup, expire, now, limits).next)
      return [urgent(`b${number} has been in the bin for long enough`, (next) => void ask(next, number, expire))];
    if (!backup.task || backup.task.ringAt > now) return [];
    const kind = decide(backup, { kind: 'reap' }, now, limits).next ? 'reap' : 'ring';
    return [urgent(`b${number} is ${kind === 'reap' ? 'reaped' : 'rung'}`, (next) => void ask(next, number, { kind }))];
  });
}

/** Messages that vanish, and calls that arrive late or never. */
export function stepsUnderWay(world: World): Step[] {
  const messages = world.bells.flatMap((rings, number) =>
    rings
      ? fault(world, 'lostMessage', `the message of b${number} is lost`, (next) => {
          next.bells[number] = false;
        })
      : [],
  );
  const calls = world.late.flatMap((call) => {
    const { document, command } = call;
    const name = `the late ${command.kind} of b${document}`;
    const gone = (next: World) => {
      next.late = next.late.filter((other) => other !== call);
    };
    return [
      free(`${name} vanishes`, gone),
      free(`${name} arrives`, (next) => {
        gone(next);
        ask(next, document, command);
      }),
    ];
  });
  return [...messages, ...calls];
}
