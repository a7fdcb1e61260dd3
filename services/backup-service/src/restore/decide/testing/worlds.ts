/** The worlds that are explored. */
import type { Fault, Setting } from './world.ts';

/** One restore, one worker, nothing that goes wrong. */
export const PEACE: Setting = {
  restores: 1,
  workers: 1,
  copies: 1,
  faults: 0,
  fault: [],
  cancels: 1,
  resumes: 1,
  checkpoint: true,
};

export const OF_BR: readonly Fault[] = ['brFails', 'brMismatch', 'brKilled', 'checkpointStays'];
export const OF_WORKERS: readonly Fault[] = ['crash', 'hostGone', 'freeze', 'drain', 'storage', 'noBr', 'slow'];
export const OF_CALLS: readonly Fault[] = ['lostMessage', 'doubledMessage', 'lostAnswer', 'lateCall', 'doubledCommand'];
export const OF_COPIES: readonly Fault[] = ['copyCrash', 'deadline'];
const ALL: readonly Fault[] = [...OF_BR, ...OF_WORKERS, ...OF_CALLS, ...OF_COPIES];

type Named = readonly [name: string, setting: Setting];

export const SMALL: readonly Named[] = [
  ['one restore, one fault of any kind', { ...PEACE, faults: 1, fault: ALL }],
  [
    'one restore, two workers, one fault of a worker or br',
    { ...PEACE, workers: 2, faults: 1, fault: [...OF_BR, ...OF_WORKERS] },
  ],
  [
    'one restore beside a backup, users and the deletion of its source',
    { ...PEACE, copies: 2, backup: true, deletion: true, users: true },
  ],
  [
    'one restore and the deletion of its source, two faults of copies',
    { ...PEACE, copies: 2, deletion: true, resumes: 0, faults: 2, fault: OF_COPIES },
  ],
  ['a filter, and a br that does not look for tables, one fault', { ...PEACE, blind: true, faults: 1, fault: ALL }],
  [
    'a target that is registered twice, one fault',
    { ...PEACE, twin: 'seen', faults: 1, fault: [...OF_COPIES, 'lostMessage', 'lateCall', 'crash', 'noBr'] },
  ],
  [
    'a target whose log backup is turned on and off, one fault',
    { ...PEACE, copies: 2, log: true, faults: 1, fault: [...OF_COPIES, 'crash', 'lateCall'] },
  ],
  ['br without a checkpoint, one fault', { ...PEACE, checkpoint: false, faults: 1, fault: ALL }],
  [
    'two versions of br, one fault',
    { ...PEACE, workers: 2, versions: true, faults: 1, fault: [...OF_BR, ...OF_WORKERS] },
  ],
  ['a frozen host', { ...PEACE, workers: 2, faults: 1, fault: ['hostFreeze'] }],
  [
    'a frozen host, and a target that a person must confirm',
    { ...PEACE, workers: 2, strictLoss: true, faults: 1, fault: ['hostFreeze', 'crash'] },
  ],
];

export const LARGE: readonly Named[] = [
  [
    'two restores, two copies, one fault of a copy',
    { ...PEACE, restores: 2, copies: 2, deletion: true, cancels: 1, resumes: 0, faults: 1, fault: OF_COPIES },
  ],
  ['one restore, two faults of any kind', { ...PEACE, faults: 2, fault: ALL }],
  ['one restore, canceled and resumed twice, one fault', { ...PEACE, cancels: 2, resumes: 2, faults: 1, fault: ALL }],
  [
    'one restore, two workers, two faults of workers and br',
    { ...PEACE, workers: 2, faults: 2, fault: [...OF_BR, ...OF_WORKERS] },
  ],
  [
    'one restore, everything around it, one fault',
    { ...PEACE, copies: 2, backup: true, twin: 'seen', deletion: true, users: true, faults: 1, fault: ALL },
  ],
  ['a filter, and a br that does not look for tables, two faults', { ...PEACE, blind: true, faults: 2, fault: ALL }],
  ['br without a checkpoint, two faults', { ...PEACE, checkpoint: false, faults: 2, fault: ALL }],
  ['two restores, one fault', { ...PEACE, restores: 2, faults: 1, fault: ALL }],
  [
    'two restores and frozen hosts',
    { ...PEACE, restores: 2, workers: 2, faults: 1, fault: ['hostFreeze', 'crash', 'brFails'] },
  ],
  [
    'frozen hosts, two faults',
    { ...PEACE, workers: 2, faults: 2, fault: ['hostFreeze', 'crash', 'brFails', 'brMismatch'] },
  ],
];
