import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, configReader, type Env } from '@tidemark/service-kit/env';
import { readTransportSecurity, type TransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { readTiming, type Timing } from '@tidemark/service-kit/timing';

export interface WorkerConfig extends TransportSecurity {
  readonly operationsHost: string;
  readonly operationsPort: number;
  readonly amqpUrl: string;
  readonly amqpNamespace: string;
  readonly backupService: Address;
  /** How this worker is named in records and logs. */
  readonly name: string;
  readonly pool: string;
  /** How many tasks at once. */
  readonly slots: number;
  /** Programs to run as `br`; the one that fits a cluster's version is chosen. */
  readonly programs: readonly string[];
  /** Where the records of what runs on this host are kept. */
  readonly stateDir: string;
  readonly timing: Timing;
  /** What a `br` may see of this process's environment, by exact name or by prefix. */
  readonly env: Env;
}

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env): WorkerConfig {
  const reader = configReader(env);
  const host = reader.text('TIDEMARK_HOST', '127.0.0.1');
  const backupService = reader.address('TIDEMARK_BACKUP_SERVICE', '127.0.0.1:4118');
  const config: WorkerConfig = {
    operationsHost: reader.text('TIDEMARK_OPERATIONS_HOST', host),
    operationsPort: reader.integer('TIDEMARK_OPERATIONS_PORT', { default: 4130, max: 65_535 }),
    amqpUrl: reader.secret('TIDEMARK_AMQP_URL') ?? '',
    amqpNamespace: reader.text('TIDEMARK_AMQP_NAMESPACE', 'tidemark'),
    backupService,
    ...readTransportSecurity(reader, { listensOn: host, calls: { TIDEMARK_BACKUP_SERVICE: backupService } }),
    name: reader.text('TIDEMARK_WORKER_NAME', `${hostname()}-${process.pid}`).slice(0, 128),
    pool: reader.text('TIDEMARK_POOL', 'default'),
    slots: reader.integer('TIDEMARK_SLOTS', { default: 1, min: 1, max: 64 }),
    programs: reader.list('TIDEMARK_BR', ['br']),
    stateDir: reader.text('TIDEMARK_STATE_DIR', join(tmpdir(), 'tidemark-worker')),
    timing: readTiming(reader),
    env,
  };
  if (!config.amqpUrl) reader.problem('TIDEMARK_AMQP_URL (or TIDEMARK_AMQP_URL_FILE) must be set');
  reader.finish();
  return config;
}
