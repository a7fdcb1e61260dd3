import type { ActionKind } from './plan.ts';

/** A request, and what was answered, if anything. */
export interface Request {
  readonly number: number;
  readonly kind: ActionKind;
  readonly clusterId: string;
  readonly key?: string;
  readonly backupId?: string;
  readonly rule?: string;
  /** Of a rule: how many backups its retention keeps; left out, it has none. */
  readonly keepLast?: number;
  /** By the clock of this process, in milliseconds. */
  readonly sentAt: number;
  readonly answer?: Answer;
}

export interface Answer {
  readonly at: number;
  /** Of HTTP. */
  readonly status: number;
  readonly message: string;
  /** Of a start. */
  readonly backupId?: string;
  /** Of a rule: the window that it will have next. */
  readonly opensAt?: string;
  readonly closesAt?: string;
}
