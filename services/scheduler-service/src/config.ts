import { isAbsolute } from 'node:path';
import { readDatabase, readExactTotal, readListeners, readPeer } from '@tidemark/service-kit/common-settings';
import { type Address, type ConfigReader, configReader, type Env, type OnRead } from '@tidemark/service-kit/env';
import type { AdmissionLimits } from '@tidemark/service-kit/grpc/admission';
import { readAdmissionLimits } from '@tidemark/service-kit/grpc/server';
import { readTransportSecurity, type TransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { type Network, toNetwork } from './notification/addresses.ts';
import { DEFAULT_SOURCE } from './notification/decide/message.ts';

export interface SchedulerConfig extends TransportSecurity {
  readonly host: string;
  readonly port: number;
  readonly admission: AdmissionLimits;
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
  /** How often changes are handed to those who watch the fleet. */
  readonly watchMs: number;
  /** How often the picture of the fleet is made anew from the records. */
  readonly rebuildMs: number;
  /** How often retention is applied where nothing changed. */
  readonly retentionMs: number;
  /** How long what became of a window is kept. */
  readonly occurrencesMs: number;
  /** Up to how many windows the total of a list is exact. */
  readonly exactTotal: number;
  /** How often is looked for what people are to be notified of. */
  readonly notifyMs: number;
  /** How long notifications that are over are kept. */
  readonly deliveriesMs: number;
  /** Local and private networks that notifications may be sent to. */
  readonly notificationNetworks: readonly Network[];
  /** What stands in CloudEvents as their source. */
  readonly notificationSource: string;
  /** Of this process: where the secrets are that receivers name. */
  readonly env: Env;
}

const DAY_MS = 86_400_000;

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env, onRead?: OnRead): SchedulerConfig {
  const reader = configReader(env, onRead);
  const listeners = readListeners(reader, { port: 4119, operationsPort: 4129 });
  const strategyService = readPeer(reader, 'TIDEMARK_STRATEGY_SERVICE');
  const backupService = readPeer(reader, 'TIDEMARK_BACKUP_SERVICE');
  const config: SchedulerConfig = {
    ...listeners,
    admission: readAdmissionLimits(reader),
    ...readDatabase(reader),
    strategyService,
    backupService,
    ...readTransportSecurity(reader, {
      listensOn: listeners.host,
      calls: { TIDEMARK_STRATEGY_SERVICE: strategyService, TIDEMARK_BACKUP_SERVICE: backupService },
    }),
    pollMs: reader.seconds('TIDEMARK_SCHEDULE_POLL_SECONDS', {
      about: 'Between two looks for rules that are due.',
      default: 5,
      min: 0.05,
      max: 300,
    }),
    retryMs: reader.seconds('TIDEMARK_SCHEDULE_RETRY_SECONDS', {
      about: 'From a start that failed to the next try, at most.',
      default: 30,
      min: 0.05,
      max: 3_600,
    }),
    skewMs: reader.seconds('TIDEMARK_SCHEDULE_SKEW_SECONDS', {
      about: 'How long after its close a window stays open for a start that is on its way.',
      default: 30,
      min: 0.05,
      max: 600,
    }),
    refreshMs: reader.seconds('TIDEMARK_FLEET_REFRESH_SECONDS', {
      about: 'Between two questions for changed backups, clusters and strategies.',
      default: 5,
      min: 0.05,
      max: 300,
    }),
    watchMs: reader.seconds('TIDEMARK_FLEET_WATCH_SECONDS', {
      about: 'Between two questions for what runs, while somebody watches the fleet.',
      default: 2,
      min: 0.05,
      max: 300,
    }),
    rebuildMs: reader.seconds('TIDEMARK_FLEET_REBUILD_SECONDS', {
      about: 'Between two readings of the whole fleet, which its metrics come from.',
      default: 120,
      min: 0.05,
      max: 86_400,
    }),
    retentionMs: reader.seconds('TIDEMARK_RETENTION_SECONDS', {
      about: 'Between two rounds of retention where nothing changed.',
      default: 3_600,
      min: 0.05,
      max: 86_400,
    }),
    occurrencesMs:
      DAY_MS *
      reader.integer('TIDEMARK_OCCURRENCE_DAYS', {
        about: 'How many days the history of windows is kept.',
        default: 90,
        min: 1,
        max: 3_650,
      }),
    exactTotal: readExactTotal(reader, 'windows'),
    notifyMs: reader.seconds('TIDEMARK_NOTIFICATION_SECONDS', {
      about: 'Between two looks for what people are to be notified of.',
      default: 5,
      min: 0.05,
      max: 300,
    }),
    deliveriesMs:
      DAY_MS *
      reader.integer('TIDEMARK_NOTIFICATION_DAYS', {
        about: 'How many days notifications that are over are kept.',
        default: 30,
        min: 2,
        max: 3_650,
      }),
    notificationNetworks: readNetworks(reader),
    notificationSource: reader.text('TIDEMARK_NOTIFICATION_SOURCE', {
      about: 'What stands in CloudEvents as their source, to tell several Tidemarks apart.',
      default: DEFAULT_SOURCE,
    }),
    env,
  };
  const secretsDir = reader.text('TIDEMARK_SECRETS_DIR', {
    about: 'Folder in which files of secrets that receivers of notifications name must lie; anywhere unless set.',
    default: '',
  });
  if (secretsDir !== '' && !isAbsolute(secretsDir))
    reader.problem(`TIDEMARK_SECRETS_DIR must be an absolute folder, not "${secretsDir}"`);
  reader.finish();
  return config;
}

const NETWORKS = 'TIDEMARK_NOTIFICATION_NETWORKS';

function readNetworks(reader: ConfigReader): Network[] {
  const texts = reader.list(NETWORKS, {
    about:
      'Local and private networks that notifications may be sent to, such as `10.0.0.0/8` or `127.0.0.1/32`; without one only addresses of the public internet are.',
    default: [],
  });
  return texts.flatMap((text) => {
    const network = toNetwork(text);
    if (!network) reader.problem(`${NETWORKS} must be networks such as 10.0.0.0/8, not "${text}"`);
    return network ? [network] : [];
  });
}
