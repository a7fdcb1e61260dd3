/** The worlds that are explored. */
import type { Fault, Setting, Wish } from './world.ts';

/** As small as can be: one backup, and nothing goes wrong. */
export const PEACE: Setting = { backups: 1, workers: 2, faults: 0, fault: [], wishes: 0, wish: [], lock: true };

/** What can befall calls, messages and workers without harming anybody's run. */
const HARMLESS: readonly Fault[] = ['lostMessage', 'doubledMessage', 'lostAnswer', 'lateCall', 'drain'];
const HARMFUL: readonly Fault[] = ['crash', 'freeze', 'hostFreeze', 'partition', 'removal', 'unmounted'];
const OF_ONE_WORKER: readonly Fault[] = ['unreach'];
const OF_ADMINS: readonly Fault[] = ['deny'];
const FAILURES: readonly Fault[] = ['brRetry', 'brPermanent', 'brNewPath'];
const TIMES: readonly Fault[] = ['slow', 'deadline'];
export const ALL: readonly Fault[] = [...HARMLESS, ...HARMFUL, ...OF_ONE_WORKER, ...OF_ADMINS, ...FAILURES, ...TIMES];
const DELETIONS: readonly Wish[] = ['delete', 'retention', 'pin', 'unpin'];

/** A record that is given up, and comes back. */
const FORGOTTEN: Setting = {
  ...PEACE,
  faults: 1,
  fault: ['removal', 'unmounted', 'partition', 'crash', 'freeze', 'lostAnswer'],
  wishes: 3,
  wish: ['delete', 'forget', 'forgetGone', 'rebuild', 'pin'],
};

/** A storage with a bin, in which deleted backups lie for a day. */
export const BIN: Setting = {
  ...PEACE,
  trashMs: 86_400_000,
  wishes: 3,
  wish: ['delete', 'deleteForGood', 'undelete', 'pin', 'unpin'],
};

/** Small enough for every run of the tests. */
export const SMALL: ReadonlyMap<string, Setting> = new Map<string, Setting>([
  ['any fault, and a cancel or a deletion', { ...PEACE, faults: 1, fault: ALL, wishes: 1, wish: ['cancel', 'delete'] }],
  [
    'any fault, and a cancel or a deletion, where br has no lock',
    { ...PEACE, faults: 1, fault: ALL, wishes: 1, wish: ['cancel', 'delete'], lock: false },
  ],
  ['four harmless faults', { ...PEACE, faults: 4, fault: HARMLESS, calm: true }],
  [
    'two hosts that stand still, or one and a crash',
    { ...PEACE, faults: 2, fault: ['hostFreeze', 'crash', 'brNewPath'] },
  ],
  [
    'two hosts that stand still, or one and a crash, where br has no lock',
    { ...PEACE, faults: 2, fault: ['hostFreeze', 'crash', 'brNewPath'], lock: false },
  ],
  [
    'two backups for one slot',
    { ...PEACE, backups: 2, slots: 1, faults: 1, fault: ['crash'], wishes: 1, wish: ['nudge'] },
  ],
  ['records that are forgotten, and found by a rebuild', FORGOTTEN],
  [
    'a bin, and anything that may go wrong with a worker or a removal',
    { ...BIN, faults: 1, fault: ['crash', 'hostFreeze', 'partition', 'removal', 'unmounted', 'brNewPath', 'lateCall'] },
  ],
  [
    'a bin, and what is forgotten and found by a rebuild',
    { ...BIN, wishes: 4, wish: ['delete', 'undelete', 'forgetGone', 'rebuild', 'pin'] },
  ],
  [
    'a bin, and one backup after the other, deleted by retention and by people',
    {
      ...BIN,
      workers: 1,
      further: 1,
      wishes: 5,
      wish: ['start', 'retention', 'delete', 'deleteForGood', 'undelete', 'unpin'],
    },
  ],
  [
    'workers that cannot reach the storage, one or both, and a cancel or a deletion',
    { ...PEACE, faults: 2, fault: ['unreach'], wishes: 1, wish: ['cancel', 'delete'] },
  ],
  [
    'a storage that is closed to the cluster and opened again, and anything harmful, a cancel or a deletion',
    { ...PEACE, faults: 2, fault: ['deny', 'crash', 'brNewPath', 'lostAnswer'], wishes: 1, wish: ['cancel', 'delete'] },
  ],
  [
    'tasks that failed or were given back, and are tried at once',
    { ...PEACE, faults: 2, fault: ['unreach', 'removal', 'lateCall'], wishes: 2, wish: ['delete', 'retry'] },
  ],
  [
    'a storage that is moved and copied later, and a deletion that fails before or after',
    {
      ...PEACE,
      faults: 3,
      fault: ['removal', 'moved', 'unreach'],
      wishes: 2,
      wish: ['delete', 'retry'],
    },
  ],
  [
    'one cluster, one backup after the other, deleted by people and by retention',
    {
      ...PEACE,
      workers: 1,
      further: 1,
      wishes: 4,
      wish: ['start', ...DELETIONS],
      faults: 1,
      fault: ['removal', 'brPermanent'],
    },
  ],
]);

/** For a minute or two: `TIDEMARK_EXPLORE=large npm test -- decide/testing/explore`. */
export const LARGE: ReadonlyMap<string, Setting> = new Map<string, Setting>([
  [
    'any two faults, and a cancel or a deletion',
    { ...PEACE, faults: 2, fault: ALL, wishes: 1, wish: ['cancel', 'delete'] },
  ],
  [
    'any two faults, and a cancel or a deletion, where br has no lock',
    { ...PEACE, faults: 2, fault: ALL, wishes: 1, wish: ['cancel', 'delete'], lock: false },
  ],
  [
    'workers that cannot reach the storage, a crash, and a cancel or a deletion',
    {
      ...PEACE,
      faults: 3,
      fault: ['unreach', 'crash', 'brNewPath', 'lateCall'],
      wishes: 1,
      wish: ['cancel', 'delete'],
    },
  ],
  [
    'tasks that failed or were given back, and are tried at once, with a crash',
    {
      ...PEACE,
      faults: 2,
      fault: ['unreach', 'removal', 'crash', 'lateCall'],
      wishes: 2,
      wish: ['cancel', 'delete', 'retry'],
    },
  ],
  ['records that are forgotten, and found by a rebuild, with two faults', { ...FORGOTTEN, faults: 2, wishes: 4 }],
  ['a bin, and any two faults', { ...BIN, faults: 2, fault: ALL }],
  ['six harmless faults', { ...PEACE, faults: 6, fault: HARMLESS, calm: true }],
  ['three harmful faults', { ...PEACE, faults: 3, fault: [...HARMFUL, 'brNewPath'], lossLimit: 2 }],
  [
    'two backups for one slot',
    {
      ...PEACE,
      backups: 2,
      slots: 1,
      faults: 1,
      fault: ['crash', 'lostMessage', 'lateCall', 'partition'],
      wishes: 1,
      wish: ['nudge', 'cancel'],
    },
  ],
]);
