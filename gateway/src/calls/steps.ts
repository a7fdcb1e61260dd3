/** How a call is written that does more in the gateway than being passed on. */
import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { CallName } from '@tidemark/contract/calls';
import type { FieldViolation } from '@tidemark/errors/app-error';
import type { AuditService } from '@tidemark/protocol/connect/tidemark/backup/v1/audit_service';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import type { LogBackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup_service';
import type { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { Restore } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import type { RestoreService } from '@tidemark/protocol/connect/tidemark/backup/v1/restore_service';
import type { DrillService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/drill_service';
import type { FleetService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import type { NotificationService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/notification_service';
import type { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import type { RetentionService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import type { StrategyService } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { Audited, CallDependencies, RequestScope } from './scope.ts';

type Methods = (typeof BackupService)['method'] &
  (typeof RestoreService)['method'] &
  (typeof LogBackupService)['method'] &
  (typeof RegistryService)['method'] &
  (typeof AuditService)['method'] &
  (typeof StrategyService)['method'] &
  (typeof DrillService)['method'] &
  (typeof FleetService)['method'] &
  (typeof NotificationService)['method'] &
  (typeof OccurrenceService)['method'] &
  (typeof RetentionService)['method'];

export type RequestOf<Name extends CallName> = MessageShape<Methods[Name]['input']>;
export type RequestInit<Name extends CallName> = MessageInitShape<Methods[Name]['input']>;
export type ResponseOf<Name extends CallName> = MessageShape<Methods[Name]['output']>;

/** A call under way, with what its steps may need. */
export interface Acting {
  readonly scope: RequestScope;
  readonly dependencies: CallDependencies;
  /** The record, where the call is about a backup and the record had to be looked at here. */
  readonly backup: Backup | undefined;
  /** The same of a restore. */
  readonly restore: Restore | undefined;
  /** The clusters that the request itself names, where the call is about a list of them. */
  readonly asked: readonly string[];
}

/** The steps of a call that are its own; the contract says who may make it. */
export interface CallSteps<Request, Response> {
  /** The name of the change in the audit line, where that is not always the contract's; undefined: nothing changes. */
  readonly audit?: (request: Request) => string | undefined;
  /** What the audit line names beside what the contract says. */
  readonly names?: (request: Request) => Audited;
  /** The cluster that the request names stands for that of the record: the service compares them. */
  readonly clusterStands?: true;
  /** Whether the steps need the record of the backup or restore that the call is about. */
  readonly needsRecord?: (request: Request) => boolean;
  /** What is wrong with the request of a person that the rules of its fields do not say. */
  readonly check?: (request: Request) => readonly FieldViolation[];
  /** Before the service is called: sets what was left out, and looks for what must be there. */
  readonly prepare?: (request: Request, acting: Acting) => void | Promise<void>;
  /** The answer to a caller who sees no cluster at all; an empty one where it is left out. */
  readonly ofNothing?: () => Response;
  /** In place of the plain call of the service. */
  readonly act?: (request: Request, acting: Acting) => Promise<Response>;
}

export type Steps<Name extends CallName> = CallSteps<RequestOf<Name>, ResponseOf<Name>>;

/** A violation unless something is fine. */
export function unless(fine: boolean, field: string, description: string): FieldViolation[] {
  return fine ? [] : [{ field, description }];
}
