/** The public API over Connect, from the generated protobufs. */
import { MethodOptions_IdempotencyLevel as Idempotency } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { BadRequestSchema, ErrorInfoSchema } from '@tidemark/protocol/connect/google/rpc/error_details';
import { AuditService } from '@tidemark/protocol/connect/tidemark/backup/v1/audit_service';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { LogBackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup_service';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { RestoreService } from '@tidemark/protocol/connect/tidemark/backup/v1/restore_service';
import { DrillService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/drill_service';
import { FleetService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { NotificationService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/notification_service';
import { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { RetentionService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import { StrategyService } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { watchedFetch } from './connection.ts';
import { refuse, token } from './session.ts';

const ANSWER_MS = 10_000;
/** Of a stream, which lasts for as long as somebody looks at it. */
export const NO_DEADLINE = { timeoutMs: 0 } as const;

const authorize: Interceptor = (next) => async (request) => {
  const used = token.value;
  if (used !== undefined) request.header.set('authorization', `Bearer ${used}`);
  try {
    return await next(request);
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    if (code === Code.Unauthenticated) refuse(used, rawMessage);
    throw error;
  }
};

/** How long to wait before a reading is asked again that a busy gateway could not answer. */
const PAUSES_MS = [300, 900];
const PASSING: readonly Code[] = [Code.Unavailable, Code.ResourceExhausted, Code.DeadlineExceeded];

/** Asks again what only reads; whoever is offline is told so at once. */
const retry: Interceptor = (next) => async (request) => {
  const isRepeatable = !request.stream && request.method.idempotency === Idempotency.NO_SIDE_EFFECTS;
  for (const pause of isRepeatable ? PAUSES_MS : []) {
    try {
      return await next(request);
    } catch (error) {
      const { code, cause } = ConnectError.from(error);
      if (!PASSING.includes(code) || cause instanceof TypeError || request.signal.aborted) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return next(request);
};

const transport = createConnectTransport({
  baseUrl: location.origin,
  useBinaryFormat: true,
  defaultTimeoutMs: ANSWER_MS,
  interceptors: [retry, authorize],
  fetch: watchedFetch((reason) => reason instanceof ConnectError && reason.code === Code.DeadlineExceeded),
});

export const audit = createClient(AuditService, transport);
export const backups = createClient(BackupService, transport);
export const logBackups = createClient(LogBackupService, transport);
export const registry = createClient(RegistryService, transport);
export const restores = createClient(RestoreService, transport);
export const drills = createClient(DrillService, transport);
export const fleet = createClient(FleetService, transport);
export const notifications = createClient(NotificationService, transport);
export const occurrences = createClient(OccurrenceService, transport);
export const retention = createClient(RetentionService, transport);
export const strategies = createClient(StrategyService, transport);

/** What went wrong with a call, for people. */
export interface Problem {
  /** Such as cluster_not_found (docs/errors.md). */
  readonly code: string;
  readonly message: string;
  readonly fields: readonly { readonly field: string; readonly description: string }[];
  readonly info: Readonly<Record<string, string>>;
}

export function toProblem(error: unknown): Problem {
  const connect = ConnectError.from(error);
  const [details] = connect.findDetails(ErrorInfoSchema);
  const [bad] = connect.findDetails(BadRequestSchema);
  return {
    code: details?.reason ?? Code[connect.code] ?? 'unknown',
    message: connect.cause instanceof TypeError ? 'The gateway cannot be reached.' : connect.rawMessage,
    fields: bad?.fieldViolations ?? [],
    info: details?.metadata ?? {},
  };
}

/** Whether a save was refused because somebody else saved the same since. */
export function isConflict(error: unknown): boolean {
  return toProblem(error).code === 'revision_changed';
}
