import type { ErrorCode } from '@tidemark/errors/codes';

/** What is written of a mutation: names and ids, and never a value of its body. */
export interface AuditLine {
  /** What was asked for, such as "delete backup". */
  readonly what: string;
  readonly clusterId?: string;
  readonly backupId?: string;
  readonly restoreId?: string;
  readonly storageId?: string;
  readonly rule?: string;
  readonly fleetStrategy?: string;
  /** Id of a token that was made or is revoked. */
  readonly token?: string;
  /** Id of a receiver of notifications. */
  readonly receiver?: string;
  /** Name and id of the token; neither where it was refused. */
  readonly caller?: string | undefined;
  readonly callerId?: string | undefined;
  /** Address of the peer. */
  readonly from: string;
  /** HTTP status of the answer. */
  readonly status: number;
  /** Code of the error, where it is one. */
  readonly code?: ErrorCode;
  readonly requestId: string;
}
