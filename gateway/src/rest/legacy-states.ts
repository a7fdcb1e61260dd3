/** The words of the documented API for what a backup is doing, and for times. */
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { BackupState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';

/** How a time that has not happened is written. */
export const NEVER = '0001-01-01T00:00:00Z';

export function timeOf(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toISOString() : NEVER;
}

interface StateNames {
  readonly state: string;
  readonly status: LegacyStatus;
}

export const STATUSES = ['Initializing', 'Processing', 'Finished', 'Failed'] as const;
export type LegacyStatus = (typeof STATUSES)[number];

/** By state of a backup. */
export const STATE_NAMES: Readonly<Record<number, StateNames>> = {
  [BackupState.QUEUED]: { state: 'Queued', status: 'Initializing' },
  [BackupState.RUNNING]: { state: 'Running', status: 'Processing' },
  [BackupState.CANCELING]: { state: 'Canceling', status: 'Processing' },
  [BackupState.SUCCEEDED]: { state: 'Succeeded', status: 'Finished' },
  [BackupState.FAILED]: { state: 'Failed', status: 'Failed' },
  [BackupState.CANCELED]: { state: 'Canceled', status: 'Failed' },
};
/** Of a state that a newer service knows. */
export const UNKNOWN: StateNames = { state: 'Unknown', status: 'Processing' };

export const STATES = Object.values(STATE_NAMES).map(({ state }) => state);
