import { isTimeZone } from '@tidemark/schedule/time-zone';
import { readDatabase, readListeners, readPeer } from '@tidemark/service-kit/common-settings';
import { type Address, configReader, type Env, type OnRead } from '@tidemark/service-kit/env';
import type { AdmissionLimits } from '@tidemark/service-kit/grpc/admission';
import { readAdmissionLimits } from '@tidemark/service-kit/grpc/server';
import { readTransportSecurity, type TransportSecurity } from '@tidemark/service-kit/grpc/transport-security';

export interface StrategyServiceConfig extends TransportSecurity {
  readonly host: string;
  readonly port: number;
  readonly admission: AdmissionLimits;
  readonly operationsHost: string;
  readonly operationsPort: number;
  readonly mongodbUrl: string;
  readonly mongodbDatabase: string;
  /** Where the registry of clusters is. */
  readonly backupService: Address;
  /** For a cluster and a request that name none. */
  readonly timeZone: string;
  /** How far into its window a start may be moved so that a fleet does not start at once. */
  readonly spreadMs: number;
}

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env, onRead?: OnRead): StrategyServiceConfig {
  const reader = configReader(env, onRead);
  const listeners = readListeners(reader, { port: 4117, operationsPort: 4127 });
  const backupService = readPeer(reader, 'TIDEMARK_BACKUP_SERVICE');
  const hostZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const config: StrategyServiceConfig = {
    ...listeners,
    admission: readAdmissionLimits(reader),
    ...readDatabase(reader),
    backupService,
    ...readTransportSecurity(reader, {
      listensOn: listeners.host,
      calls: { TIDEMARK_BACKUP_SERVICE: backupService },
    }),
    timeZone: reader.text('TIDEMARK_TIME_ZONE', {
      about: 'Time zone of clusters that name none.',
      shown: 'that of the host',
      default: isTimeZone(hostZone) ? hostZone : 'UTC',
    }),
    spreadMs: reader.seconds('TIDEMARK_SPREAD_SECONDS', {
      about: 'How far into its window a start may be moved, so that a fleet does not start at once.',
      default: 600,
      max: 43_200,
    }),
  };
  if (!isTimeZone(config.timeZone))
    reader.problem(`TIDEMARK_TIME_ZONE must be an IANA name such as Europe/Berlin, not "${config.timeZone}"`);
  reader.finish();
  return config;
}
