/** A request, and what was answered, if anything. */
export interface Request {
  readonly number: number;
  readonly kind: RequestKind;
  /** Of what concerns a restore: its target. */
  readonly clusterId: string;
  readonly key?: string;
  readonly backupId?: string;
  readonly restoreId?: string;
  readonly rule?: string;
  /** Of a rule: how many backups its retention keeps; left out, it has none. */
  readonly keepLast?: number;
  /** By the clock of this process, in milliseconds. */
  readonly sentAt: number;
  readonly answer?: Answer;
}

export type RequestKind =
  | 'start'
  | 'cancel'
  | 'delete'
  | 'pin'
  | 'unpin'
  | 'rule'
  | 'restore'
  | 'cancel restore'
  | 'resume'
  | 'release'
  | 'cleaned';

export interface Answer {
  readonly at: number;
  /** Of HTTP. */
  readonly status: number;
  readonly message: string;
  /** Of a start. */
  readonly backupId?: string;
  /** Of the start of a restore. */
  readonly restoreId?: string;
  /** Of a rule: the window that it will have next. */
  readonly opensAt?: string;
  readonly closesAt?: string;
}
