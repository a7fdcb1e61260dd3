import { isTimeZone } from '@tidemark/schedule/time-zone';
import { configReader, type Env } from '@tidemark/service-kit/env';
import { readTransportSecurity, type TransportSecurity } from '@tidemark/service-kit/grpc/transport-security';

export interface StrategyServiceConfig extends TransportSecurity {
  readonly host: string;
  readonly port: number;
  readonly operationsHost: string;
  readonly operationsPort: number;
  readonly mongodbUrl: string;
  readonly mongodbDatabase: string;
  /** For a cluster and a request that name none. */
  readonly timeZone: string;
  /** How far into its window a start may be moved so that a fleet does not start at once. */
  readonly spreadMs: number;
}

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env): StrategyServiceConfig {
  const reader = configReader(env);
  const host = reader.text('TIDEMARK_HOST', '127.0.0.1');
  const hostZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const config: StrategyServiceConfig = {
    host,
    port: reader.integer('TIDEMARK_PORT', { default: 4117, max: 65_535 }),
    operationsHost: reader.text('TIDEMARK_OPERATIONS_HOST', host),
    operationsPort: reader.integer('TIDEMARK_OPERATIONS_PORT', { default: 4127, max: 65_535 }),
    mongodbUrl: reader.secret('TIDEMARK_MONGODB_URL') ?? '',
    mongodbDatabase: reader.text('TIDEMARK_MONGODB_DATABASE', 'tidemark'),
    ...readTransportSecurity(reader, { listensOn: host }),
    timeZone: reader.text('TIDEMARK_TIME_ZONE', isTimeZone(hostZone) ? hostZone : 'UTC'),
    spreadMs: reader.seconds('TIDEMARK_SPREAD_SECONDS', { default: 600, max: 43_200 }),
  };
  if (!config.mongodbUrl) reader.problem('TIDEMARK_MONGODB_URL (or TIDEMARK_MONGODB_URL_FILE) must be set');
  if (!isTimeZone(config.timeZone))
    reader.problem(`TIDEMARK_TIME_ZONE must be an IANA name such as Europe/Berlin, not "${config.timeZone}"`);
  reader.finish();
  return config;
}
