/** What people do: they start, cancel, resume, clean and release; delete the source, back the target up, write into it. */
import { isActive, type Restore } from '../../restore.ts';
import type { RestoreCommand } from '../command.ts';
import { ask } from './ask.ts';
import { askSource } from './service.ts';
import {
  emptied,
  fault,
  free,
  insert,
  isOccupied,
  isTakenByItsOtherName,
  type Step,
  setTruth,
  type Truth,
  type World,
  wish,
} from './world.ts';

export function stepsOfPeople(world: World): Step[] {
  const { documents, setting } = world;
  const mayStart = documents.length < setting.restores && !isOccupied(world);
  return [
    ...(mayStart ? [wish(`d${documents.length} is started`, insert)] : []),
    ...documents.flatMap((restore, number) => [
      ...canceling(world, restore, number),
      ...resuming(world, restore, number),
      ...releasing(world, restore, number),
    ]),
    ...aroundTheSource(world),
    ...aroundTheTarget(world),
  ];
}

/** As a person asks: by an id of the request, and one of the call that is repeated. */
const by = (callId: string) => ({ requestId: `of ${callId}`, callId, by: 'alice' });

/** The command once, or once more at any later time. */
function asking(world: World, number: number, command: RestoreCommand, wanted: Truth['wanted']): Step[] {
  const name = `d${number}: ${command.kind}`;
  const asks = (next: World) => {
    if (ask(next, number, command).kind === 'ok') setTruth(next, number, { wanted });
  };
  return [
    wish(name, asks),
    ...(world.late.length === 0
      ? fault(world, 'doubledCommand', name, (next) => {
          next.late = [{ document: number, command }];
          asks(next);
        })
      : []),
  ];
}

function canceling(world: World, restore: Restore, number: number): Step[] {
  const { cancels } = restore;
  if (!isActive(restore) || cancels.length >= world.setting.cancels) return [];
  return asking(world, number, { kind: 'cancel', ...by(`c${cancels.length}`), reason: '' }, 'cancel');
}

/** Asked, a person says that the host is dead only if it is. */
const isSure = ({ runs }: World, restore: Restore, number: number) =>
  !restore.needsConfirm || !runs.some(({ document }) => document === number);

const sayingSo = ({ needsConfirm }: Restore) => (needsConfirm ? { hostDead: true as const } : {});

function resuming(world: World, restore: Restore, number: number): Step[] {
  const { resumes } = restore;
  if (!restore.resumable || resumes.length >= world.setting.resumes || !isSure(world, restore, number)) return [];
  const command = { kind: 'resume', ...by(`r${resumes.length}`), ...sayingSo(restore) } as const;
  return asking(world, number, command, 'resume');
}

function releasing(world: World, restore: Restore, number: number): Step[] {
  const { state, targetState, needsCleaning, quietUntil } = restore;
  const { target, now } = world;
  const isEmpty = target.data === 'none' && !target.checkpoint && !target.users;
  const clean = wish('the target is emptied', emptied);
  if (needsCleaning && !isActive(restore) && targetState !== 'Partial')
    return isEmpty
      ? [wish(`d${number}: cleaned`, (next) => void ask(next, number, { kind: 'cleaned' }))]
      : isOccupied(world)
        ? []
        : [clean];
  if (targetState !== 'Partial' || (state !== 'Failed' && state !== 'Canceled') || !isSure(world, restore, number))
    return [];
  // Whoever is told to wait waits.
  const waits = quietUntil !== null && now < quietUntil.getTime();
  const release = (how: 'cleaned' | 'asIs'): Step =>
    wish(`d${number}: release (${how})`, (next) => {
      const command = { ...by('f'), how, note: '', ...sayingSo(restore) };
      if (ask(next, number, { kind: 'releaseTarget', ...command }).kind === 'ok')
        setTruth(next, number, { wanted: 'release' });
    });
  if (isEmpty) return [release('cleaned')];
  return waits ? [release('asIs')] : [release('asIs'), clean];
}

function aroundTheSource({ source, setting }: World): Step[] {
  if (!setting.deletion) return [];
  switch (source.deletion.state) {
    case 'None':
      return [
        wish('the source is to be deleted', (next) => {
          const by = { kind: 'person', name: 'bob' } as const;
          askSource(next, { kind: 'delete', by, reason: '', requestId: 'd', newerGood: false, trashMs: 0 });
        }),
      ];
    case 'Requested':
      return [
        free('the source is deleted', (next) => {
          next.source = { ...next.source, deletion: { ...next.source.deletion, state: 'Deleted' } };
        }),
      ];
    default:
      return [];
  }
}

function aroundTheTarget(world: World): Step[] {
  const { setting, backup, target } = world;
  const becomes = (state: World['backup']) => (next: World) => {
    next.backup = state;
  };
  const isFree = !isOccupied(world) && world.documents.length > 0;
  return [
    ...(setting.backup && backup === 'none' && !isOccupied(world)
      ? [wish('a backup of the target is started', becomes('waits'))]
      : []),
    ...(backup === 'waits' && !isTakenByItsOtherName(world) ? [free('br of the backup begins', becomes('runs'))] : []),
    ...(backup === 'runs' ? [free('the backup ends', becomes('over'))] : []),
    ...byItsOtherName(world),
    ...aroundTheLog(world),
    ...(setting.users && isFree && !target.users
      ? [
          wish('users write into the target', (next) => {
            next.target = { ...next.target, users: true };
          }),
        ]
      : []),
  ];
}

/** A log begins where it is wanted and no restore has the cluster (log-life 3). */
function aroundTheLog({ setting, log }: World): Step[] {
  if (!setting.log) return [];
  const becomes = (wanted: 'on' | 'off', state: 'Running' | 'Off') => (next: World) => {
    next.log = { ...next.log, wanted, observed: { ...next.log.observed, state }, task: null };
  };
  if (log.wanted === 'off') return [wish('the log backup of the target is turned on', becomes('on', 'Off'))];
  return [
    ...(log.block === null && log.observed.state === 'Off' ? [free('a log begins', becomes('on', 'Running'))] : []),
    free('the log backup of the target is turned off', becomes('off', 'Off')),
  ];
}

/** It is on record before it looks, and gives way where the target is taken (occupants.ts, O1 and O2). */
function byItsOtherName(world: World): Step[] {
  const becomes = (state: World['twin']) => (next: World) => {
    next.twin = state;
  };
  switch (world.twin) {
    case 'none':
      return world.setting.twin ? [wish('a restore by the other name is accepted', becomes('accepted'))] : [];
    case 'accepted':
      return isOccupied(world)
        ? [free('the restore by the other name gives way', becomes('over'))]
        : [free('br by the other name begins', becomes('runs'))];
    case 'runs':
      return [free('br by the other name ends', becomes('over'))];
    case 'over':
      return [];
  }
}
