/** Who may make each call, as the options in proto/ say it. */
import { CALLS as TABLE } from '@tidemark/protocol/contract';

/** A call that people may make, by its name in clients. */
export type CallName = keyof typeof TABLE;

/** From the least to the most; each includes the one before. */
export type Role = 'viewer' | 'operator' | 'admin';

/**
 * What a call is about, which decides who may know of it: a cluster, a backup (of a cluster), a restore (of two), whatever of the caller's
 * clusters there is, or what belongs to all clusters together.
 */
export type Subject = 'cluster' | 'backup' | 'restore' | 'own clusters' | 'everything';

export interface Call {
  /** Full name, such as `tidemark.backup.v1.BackupService/StartBackup`. */
  readonly method: string;
  /** Full name of its request. */
  readonly request: string;
  /** The least role that it takes. */
  readonly role: Role;
  readonly subject: Subject;
  /** Path of the field that names the cluster, the backup or the clusters, such as "cluster.id". */
  readonly field?: string;
  /** The name of a change in audit lines. */
  readonly audit?: string;
  /** How long an answer may take, where that is longer than for other calls. */
  readonly answerMs?: number;
}

export const CALLS: Readonly<Record<CallName, Call>> = TABLE;

const NAMES = new Map(Object.entries(CALLS).map(([name, { method }]) => [method, name as CallName]));

/** The call of a method's full name; nothing for one that is not for people. */
export function callOfMethod(method: string): CallName | undefined {
  return NAMES.get(method);
}
