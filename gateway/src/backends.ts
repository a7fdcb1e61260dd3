import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { type CallOptions, type Client as ConnectClient, createClient, type Transport } from '@connectrpc/connect';
import { type Client, Metadata } from '@grpc/grpc-js';
import { CALLS, type CallName } from '@tidemark/contract/calls';
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
import type { Address } from '@tidemark/service-kit/env';
import { openChannel } from '@tidemark/service-kit/grpc/client';
import type { ProcessCertificate } from '@tidemark/service-kit/grpc/transport-security';
import type { GatewayConfig } from './config.ts';
import { createGrpcTransport } from './grpc-transport.ts';
import { noteSight } from './note-sight.ts';
import { restAfterOverload } from './rest-after-overload.ts';

/** The services behind the gateway. */
export interface Backends {
  readonly backups: ConnectClient<typeof BackupService>;
  readonly restores: ConnectClient<typeof RestoreService>;
  readonly logBackups: ConnectClient<typeof LogBackupService>;
  readonly registry: ConnectClient<typeof RegistryService>;
  readonly audit: ConnectClient<typeof AuditService>;
  readonly strategies: ConnectClient<typeof StrategyService>;
  readonly drills: ConnectClient<typeof DrillService>;
  readonly fleet: ConnectClient<typeof FleetService>;
  readonly notifications: ConnectClient<typeof NotificationService>;
  readonly occurrences: ConnectClient<typeof OccurrenceService>;
  readonly retention: ConnectClient<typeof RetentionService>;
  /** Whether backup-service itself looks at what the caller of a call sees. */
  readonly honorsSight: () => boolean;
}

export interface Transports {
  readonly backup: Transport;
  readonly strategy: Transport;
  readonly scheduler: Transport;
}

/**
 * By when the services must have answered a request: a dependency that is down must be reported within 2 s, also by a
 * gateway that is busy.
 */
export const CALL_TIMEOUT_MS = 1_400;

export function createBackends({ backup, strategy, scheduler }: Transports): Backends {
  const { transport, honorsSight } = noteSight(backup);
  return {
    honorsSight,
    backups: createClient(BackupService, transport),
    restores: createClient(RestoreService, transport),
    logBackups: createClient(LogBackupService, backup),
    registry: createClient(RegistryService, backup),
    audit: createClient(AuditService, backup),
    strategies: createClient(StrategyService, strategy),
    drills: createClient(DrillService, scheduler),
    fleet: createClient(FleetService, scheduler),
    notifications: createClient(NotificationService, scheduler),
    occurrences: createClient(OccurrenceService, scheduler),
    retention: createClient(RetentionService, scheduler),
  };
}

/** A call of a service. */
export type Send<Answer> = (request: object, options: CallOptions) => Answer;

const SERVICES = {
  backups: BackupService,
  restores: RestoreService,
  logBackups: LogBackupService,
  registry: RegistryService,
  audit: AuditService,
  strategies: StrategyService,
  drills: DrillService,
  fleet: FleetService,
  notifications: NotificationService,
  occurrences: OccurrenceService,
  retention: RetentionService,
} as const satisfies Record<Exclude<keyof Backends, 'honorsSight'>, DescService>;

type Service = keyof typeof SERVICES;

/** Where each call goes. */
const METHODS: ReadonlyMap<string, { readonly backend: Service; readonly method: DescMethod }> = new Map(
  Object.entries(SERVICES).flatMap(([backend, { typeName, methods }]) =>
    methods.map((method) => [`${typeName}/${method.name}`, { backend: backend as Service, method }] as const),
  ),
);

function findMethod(name: CallName) {
  const found = METHODS.get(CALLS[name].method);
  if (!found) throw new Error(`no service here has ${name}`);
  return found;
}

/** The method behind a call. */
export function methodOf(name: CallName): DescMethod {
  return findMethod(name).method;
}

/** Sends a call to its service. */
export function senderOf(backends: Backends, name: CallName): Send<unknown> {
  const { backend, method } = findMethod(name);
  return (backends[backend] as unknown as Readonly<Record<string, Send<unknown>>>)[method.localName] as Send<unknown>;
}

/** What proves the gateway to the services. */
export function serviceHeaders(serviceToken: string | undefined): Readonly<Record<string, string>> {
  return serviceToken === undefined ? {} : { authorization: `Bearer ${serviceToken}` };
}

type ServiceName = 'backup-service' | 'strategy-service' | 'scheduler-service';

export interface Channels extends Disposable {
  readonly transports: Transports;
  /** One check per service: throws while it cannot be reached or does not say that it serves. */
  readonly checks: Readonly<Record<ServiceName, () => Promise<void>>>;
}

const HEALTH_CHECK = '/grpc.health.v1.Health/Check';
const HEALTH_TIMEOUT_MS = 1_000;

/** Opens the channels to the services; they connect when first used, and again by themselves. */
export function openChannels(config: GatewayConfig, certificate?: ProcessCertificate): Channels {
  const open = ({ host, port }: Address) => openChannel(`${host}:${port}`, certificate);
  const channels: Record<ServiceName, Client> = {
    'backup-service': open(config.backupService),
    'strategy-service': open(config.strategyService),
    'scheduler-service': open(config.schedulerService),
  };
  const check = (name: ServiceName) => () => checkHealth(channels[name]);
  const over = (name: ServiceName) =>
    restAfterOverload(createGrpcTransport(channels[name], { name, defaultTimeoutMs: CALL_TIMEOUT_MS }), {
      name,
      usualMs: CALL_TIMEOUT_MS,
    });
  return {
    transports: {
      backup: over('backup-service'),
      strategy: over('strategy-service'),
      scheduler: over('scheduler-service'),
    },
    checks: {
      'backup-service': check('backup-service'),
      'strategy-service': check('strategy-service'),
      'scheduler-service': check('scheduler-service'),
    },
    [Symbol.dispose]() {
      for (const client of Object.values(channels)) client.close();
    },
  };
}

/** Asks the standard health service, which takes no token, for the whole of a process. */
function checkHealth(client: Client): Promise<void> {
  const deadline = Date.now() + HEALTH_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      HEALTH_CHECK,
      () => Buffer.alloc(0), // no service is named
      isServing,
      undefined,
      new Metadata(),
      { deadline },
      (error, serving) => {
        if (error) reject(new Error('cannot be reached', { cause: error }));
        else if (serving) resolve();
        else reject(new Error('does not serve right now'));
      },
    );
  });
}

/** Whether a `grpc.health.v1.HealthCheckResponse` says SERVING (field 1 is 1). */
function isServing(bytes: Buffer): boolean {
  const reader = new BinaryReader(bytes);
  let status = 0;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) status = reader.int32();
    else reader.skip(wireType, field);
  }
  return status === 1;
}
