/** What a demo cluster keeps of its log backup. */
import type { TableName } from './table.ts';

/** A task; the times are TSOs, decimal. */
export interface LogTask {
  readonly name: string;
  /** As it was given. */
  readonly storage: string;
  /** The flags of the storage, such as `s3.endpoint`. */
  readonly flags: Readonly<Record<string, readonly string[]>>;
  /** As `br` prints it. */
  readonly printed: string;
  readonly startTs: string;
  readonly checkpoint: string;
  readonly state: 'NORMAL' | 'PAUSE' | 'ERROR';
  /** Who paused it; empty while it runs. */
  readonly severity: '' | 'MANUAL' | 'ERROR';
  /** Until when the history that a resume needs is kept, in Unix milliseconds. */
  readonly keptUntil: number;
  readonly errors: readonly { readonly store: number; readonly code: string; readonly message: string }[];
  /** The checkpoint does not move, though the state is NORMAL; tests set it. */
  readonly standsStill?: boolean;
}

/** A change of a row; without a value the row was taken away. */
export interface RowChange extends TableName {
  readonly ts: string;
  readonly handle: number;
  readonly value?: string;
}
