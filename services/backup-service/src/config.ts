import { configReader, type Env } from '@tidemark/service-kit/env';
import { readTransportSecurity, type TransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { readTiming, type Timing } from '@tidemark/service-kit/timing';

const DAY_MS = 86_400_000;

export interface BackupServiceConfig extends TransportSecurity {
  readonly host: string;
  readonly port: number;
  readonly operationsHost: string;
  readonly operationsPort: number;
  readonly mongodbUrl: string;
  readonly mongodbDatabase: string;
  readonly amqpUrl: string;
  readonly amqpNamespace: string;
  readonly timing: Timing;
  /** How long the output of an attempt is kept. */
  readonly outputMs: number;
  /** How many removals retention may have under way at once. */
  readonly retentionDeletions: number;
}

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env): BackupServiceConfig {
  const reader = configReader(env);
  const host = reader.text('TIDEMARK_HOST', '127.0.0.1');
  const config: BackupServiceConfig = {
    host,
    port: reader.integer('TIDEMARK_PORT', { default: 4118, max: 65_535 }),
    operationsHost: reader.text('TIDEMARK_OPERATIONS_HOST', host),
    operationsPort: reader.integer('TIDEMARK_OPERATIONS_PORT', { default: 4128, max: 65_535 }),
    mongodbUrl: reader.secret('TIDEMARK_MONGODB_URL') ?? '',
    mongodbDatabase: reader.text('TIDEMARK_MONGODB_DATABASE', 'tidemark'),
    amqpUrl: reader.secret('TIDEMARK_AMQP_URL') ?? '',
    amqpNamespace: reader.text('TIDEMARK_AMQP_NAMESPACE', 'tidemark'),
    ...readTransportSecurity(reader, { listensOn: host }),
    timing: readTiming(reader),
    outputMs: DAY_MS * reader.integer('TIDEMARK_OUTPUT_DAYS', { default: 90, min: 1, max: 3_650 }),
    retentionDeletions: reader.integer('TIDEMARK_RETENTION_DELETIONS', { default: 10, min: 1, max: 1_000 }),
  };
  if (!config.mongodbUrl) reader.problem('TIDEMARK_MONGODB_URL (or TIDEMARK_MONGODB_URL_FILE) must be set');
  if (!config.amqpUrl) reader.problem('TIDEMARK_AMQP_URL (or TIDEMARK_AMQP_URL_FILE) must be set');
  reader.finish();
  return config;
}
