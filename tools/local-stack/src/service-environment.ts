import { join } from 'node:path';
import { childEnvironment } from './child-environment.ts';
import type { PlacedProcess } from './ports.ts';
import type { Secrets } from './secret-files.ts';
import { writePrivately } from './secret-files.ts';
import { SERVICE_KINDS, type ServiceKind } from './service-kinds.ts';

/** What the processes of one stack have in common. */
export interface StackSettings {
  readonly dataDir: string;
  readonly amqpUrl: string;
  readonly mongodbUrl: string;
  readonly secrets: Secrets;
  /** The programs that workers may run as `br`, the first one by default. */
  readonly br: readonly string[];
  /** Where a kind of process reaches a service that listens at an address, if not there. */
  readonly route?: ((from: ServiceKind, address: string) => string) | undefined;
  /** Variables on top, by kind of process or for all of them. */
  readonly env: Partial<Record<ServiceKind | 'all', Readonly<Record<string, string>>>>;
  /** Variables on top of those, for one copy, by its name. */
  readonly envOfCopy?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;
}

const HOST = '127.0.0.1';

/** Where a process listens, as host:port. */
export function addressOf(port: number): string {
  return `${HOST}:${port}`;
}

/** The whole environment of one process of the stack. */
export function serviceEnvironment(
  { kind, name, port, grpcPort, operationsPort }: PlacedProcess,
  placed: readonly PlacedProcess[],
  settings: StackSettings,
): Record<string, string> {
  const { secrets, dataDir, env } = settings;
  const row = SERVICE_KINDS[kind];
  const isWorker = kind === 'executor-worker';
  const { route = (_: ServiceKind, address: string) => address } = settings;
  const target = (service: ServiceKind) => targetOf(addressesOf(service, placed).map((one) => route(kind, one)));
  return {
    // One machine holds few clusters: a window that opens need not be spread over minutes. The user's own setting wins.
    ...(kind === 'strategy-service' && { TIDEMARK_SPREAD_SECONDS: '0' }),
    // Beside the logs, which are rotated: what one client sends must not push out who changed what.
    ...(kind === 'gateway' && { TIDEMARK_AUDIT_FILE: join(dataDir, 'audit.jsonl') }),
    ...childEnvironment(process.env, { credentials: isWorker, receiverSecrets: kind === 'scheduler-service' }),
    TIDEMARK_HOST: HOST,
    ...(port !== undefined && { TIDEMARK_PORT: String(port) }),
    ...(grpcPort !== undefined && { TIDEMARK_GRPC_PORT: String(grpcPort) }),
    TIDEMARK_OPERATIONS_PORT: String(operationsPort),
    TIDEMARK_PARENT_PID: String(process.pid),
    TIDEMARK_SERVICE_TOKEN_FILE: secrets.serviceTokenFile,
    TIDEMARK_STRATEGY_SERVICE: target('strategy-service'),
    TIDEMARK_BACKUP_SERVICE: target('backup-service'),
    TIDEMARK_SCHEDULER_SERVICE: target('scheduler-service'),
    ...(row.amqp && { TIDEMARK_AMQP_URL_FILE: urlFile(dataDir, 'amqp-url', settings.amqpUrl) }),
    ...(row.mongodb && { TIDEMARK_MONGODB_URL_FILE: urlFile(dataDir, 'mongodb-url', settings.mongodbUrl) }),
    ...(kind === 'gateway' && { TIDEMARK_TOKENS_FILE: secrets.tokensFile }),
    ...(isWorker && {
      TIDEMARK_WORKER_NAME: name,
      TIDEMARK_BR: settings.br.join(','),
      TIDEMARK_STATE_DIR: join(dataDir, 'worker-state'),
      TIDEMARK_NODE: process.execPath,
      DEMO_BR_CLUSTERS: join(dataDir, 'demo-clusters'),
    }),
    ...env.all,
    ...env[kind],
    ...settings.envOfCopy?.[name],
  };
}

/** Where the copies of a service listen. */
export function addressesOf(kind: ServiceKind, placed: readonly PlacedProcess[]): string[] {
  return placed.flatMap((one) => (one.kind === kind && one.port !== undefined ? [addressOf(one.port)] : []));
}

/** All copies of a service as a gRPC target. */
function targetOf(addresses: readonly string[]): string {
  return addresses.length > 1 ? `ipv4:${addresses.join(',')}` : addresses.join();
}

function urlFile(dataDir: string, name: string, url: string): string {
  const path = join(dataDir, 'secrets', name);
  writePrivately(path, `${url}\n`);
  return path;
}
