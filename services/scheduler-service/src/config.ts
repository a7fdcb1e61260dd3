import { type Address, configReader, type Env } from '@tidemark/service-kit/env';
import { readTransportSecurity, type TransportSecurity } from '@tidemark/service-kit/grpc/transport-security';

export interface SchedulerConfig extends TransportSecurity {
  readonly host: string;
  readonly port: number;
  readonly operationsHost: string;
  readonly operationsPort: number;
  readonly mongodbUrl: string;
  readonly mongodbDatabase: string;
  readonly strategyService: Address;
  readonly backupService: Address;
  /** How often due strategies are looked for. */
  readonly pollMs: number;
  /** How long after an attempt a start is tried again, at the latest. */
  readonly retryMs: number;
  /** How long after its close a window is still left open for a start that is on its way. */
  readonly skewMs: number;
  /** How often changes of backups, clusters and strategies are asked for. */
  readonly refreshMs: number;
  /** How often the picture of the fleet is made anew from the records. */
  readonly rebuildMs: number;
  /** How often retention is applied where nothing changed. */
  readonly retentionMs: number;
  /** How long what became of a window is kept. */
  readonly occurrencesMs: number;
}

const DAY_MS = 86_400_000;

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env): SchedulerConfig {
  const reader = configReader(env);
  const host = reader.text('TIDEMARK_HOST', '127.0.0.1');
  const strategyService = reader.address('TIDEMARK_STRATEGY_SERVICE', '127.0.0.1:4117');
  const backupService = reader.address('TIDEMARK_BACKUP_SERVICE', '127.0.0.1:4118');
  const config: SchedulerConfig = {
    host,
    port: reader.integer('TIDEMARK_PORT', { default: 4119, max: 65_535 }),
    operationsHost: reader.text('TIDEMARK_OPERATIONS_HOST', host),
    operationsPort: reader.integer('TIDEMARK_OPERATIONS_PORT', { default: 4129, max: 65_535 }),
    mongodbUrl: reader.secret('TIDEMARK_MONGODB_URL') ?? '',
    mongodbDatabase: reader.text('TIDEMARK_MONGODB_DATABASE', 'tidemark'),
    strategyService,
    backupService,
    ...readTransportSecurity(reader, {
      listensOn: host,
      calls: { TIDEMARK_STRATEGY_SERVICE: strategyService, TIDEMARK_BACKUP_SERVICE: backupService },
    }),
    pollMs: reader.seconds('TIDEMARK_SCHEDULE_POLL_SECONDS', { default: 5, min: 0.05, max: 300 }),
    retryMs: reader.seconds('TIDEMARK_SCHEDULE_RETRY_SECONDS', { default: 30, min: 0.05, max: 3_600 }),
    skewMs: reader.seconds('TIDEMARK_SCHEDULE_SKEW_SECONDS', { default: 30, min: 0.05, max: 600 }),
    refreshMs: reader.seconds('TIDEMARK_FLEET_REFRESH_SECONDS', { default: 5, min: 0.05, max: 300 }),
    rebuildMs: reader.seconds('TIDEMARK_FLEET_REBUILD_SECONDS', { default: 120, min: 0.05, max: 86_400 }),
    retentionMs: reader.seconds('TIDEMARK_RETENTION_SECONDS', { default: 3_600, min: 0.05, max: 86_400 }),
    occurrencesMs: DAY_MS * reader.integer('TIDEMARK_OCCURRENCE_DAYS', { default: 90, min: 1, max: 3_650 }),
  };
  if (!config.mongodbUrl) reader.problem('TIDEMARK_MONGODB_URL (or TIDEMARK_MONGODB_URL_FILE) must be set');
  reader.finish();
  return config;
}
