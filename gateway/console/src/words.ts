/** The words of the API for what the protobufs number, and how good or bad that is. Pure. */
import { BackupState, DeletionState, VerificationState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { RestoreState, TargetState } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { FleetVerdict } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { OccurrenceState } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';

/** How a thing is marked, beside its word: never by the colour alone. */
export type Tone = 'good' | 'warn' | 'bad' | 'busy' | 'calm';

export interface Word {
  /** As the REST API writes it. */
  readonly name: string;
  /** For people. */
  readonly text: string;
  readonly tone: Tone;
}

const named = (name: string, tone: Tone, text = name): Word => ({ name, text, tone });
const UNKNOWN = named('Unknown', 'calm');

export const VERDICTS: ReadonlyMap<FleetVerdict, Word> = new Map<FleetVerdict, Word>([
  [FleetVerdict.NEVER, named('never', 'bad', 'Never')],
  [FleetVerdict.VERY_LATE, named('veryLate', 'bad', 'Very late')],
  [FleetVerdict.LATE, named('late', 'warn', 'Late')],
  [FleetVerdict.NO_PLAN, named('noPlan', 'calm', 'No plan')],
  [FleetVerdict.IN_TIME, named('inTime', 'good', 'In time')],
]);

export const BACKUP_STATES: ReadonlyMap<BackupState, Word> = new Map<BackupState, Word>([
  [BackupState.QUEUED, named('Queued', 'calm')],
  [BackupState.RUNNING, named('Running', 'busy')],
  [BackupState.CANCELING, named('Canceling', 'busy')],
  [BackupState.SUCCEEDED, named('Succeeded', 'good')],
  [BackupState.FAILED, named('Failed', 'bad')],
  [BackupState.CANCELED, named('Canceled', 'warn')],
]);

export const DELETION_STATES: ReadonlyMap<DeletionState, Word> = new Map<DeletionState, Word>([
  [DeletionState.REQUESTED, named('Requested', 'busy', 'Deletion requested')],
  [DeletionState.DELETING, named('Deleting', 'busy')],
  [DeletionState.DELETED, named('Deleted', 'calm')],
  [DeletionState.DELETE_FAILED, named('DeleteFailed', 'bad', 'Deletion failed')],
  [DeletionState.FORGOTTEN, named('Forgotten', 'calm')],
  [DeletionState.TRASHED, named('Trashed', 'warn', 'In the bin')],
]);

export const VERIFICATION_STATES: ReadonlyMap<VerificationState, Word> = new Map<VerificationState, Word>([
  [VerificationState.QUEUED, named('Queued', 'calm')],
  [VerificationState.RUNNING, named('Running', 'busy')],
  [VerificationState.CANCELING, named('Canceling', 'busy')],
  [VerificationState.GOOD, named('Good', 'good')],
  [VerificationState.DAMAGED, named('Damaged', 'bad')],
  [VerificationState.UNKNOWN, named('Unknown', 'warn')],
  [VerificationState.CANCELED, named('Canceled', 'calm')],
]);

export const OCCURRENCE_STATES: ReadonlyMap<OccurrenceState, Word> = new Map<OccurrenceState, Word>([
  [OccurrenceState.PENDING, named('Pending', 'busy')],
  [OccurrenceState.STARTED, named('Started', 'good')],
  [OccurrenceState.SKIPPED, named('Skipped', 'warn')],
  [OccurrenceState.MISSED, named('Missed', 'bad')],
]);

export const RESTORE_STATES: ReadonlyMap<RestoreState, Word> = new Map<RestoreState, Word>([
  [RestoreState.QUEUED, named('Queued', 'calm')],
  [RestoreState.RUNNING, named('Running', 'busy')],
  [RestoreState.CANCELING, named('Canceling', 'busy')],
  [RestoreState.SUCCEEDED, named('Succeeded', 'good')],
  [RestoreState.FAILED, named('Failed', 'bad')],
  [RestoreState.CANCELED, named('Canceled', 'warn')],
]);

export const TARGET_STATES: ReadonlyMap<TargetState, Word> = new Map<TargetState, Word>([
  [TargetState.UNTOUCHED, named('Untouched', 'calm')],
  [TargetState.PARTIAL, named('Partial', 'bad')],
  [TargetState.RESTORED, named('Restored', 'good')],
  [TargetState.RELEASED, named('Released', 'calm')],
]);

export function wordOf(words: ReadonlyMap<number, Word>, value: number): Word {
  return words.get(value) ?? UNKNOWN;
}

/** The number that a word of an address stands for. */
export function numberOf<Value>(words: ReadonlyMap<Value, Word>, name: string): Value | undefined {
  return [...words].find(([, word]) => word.name === name)?.[0];
}

/** Whether a name is one of these words. */
export const isOneOf =
  (words: ReadonlyMap<unknown, Word>) =>
  (name: string): boolean =>
    numberOf(words, name) !== undefined;

export const ACTIVE_BACKUPS = [BackupState.QUEUED, BackupState.RUNNING, BackupState.CANCELING] as const;

export function isActive(state: number): boolean {
  return (ACTIVE_BACKUPS as readonly number[]).includes(state);
}
