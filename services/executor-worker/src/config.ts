import { hostname, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { METADATA_BYTES_SETTING } from '@tidemark/backupmeta/backupmeta';
import { DEFAULT_METADATA_BYTES, MAX_METADATA_BYTES, MAX_NAME } from '@tidemark/limits/limits';
import { readBroker, readOperationsListener, readPeer } from '@tidemark/service-kit/common-settings';
import { type Address, configReader, type Env, type OnRead } from '@tidemark/service-kit/env';
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
  /** After so many tasks the worker ends; undefined where it stays. */
  readonly mostTasks: number | undefined;
  /** After so long without a task the worker ends, in milliseconds; 0 where it stays. */
  readonly idleMs: number;
  /** Programs to run as `br`; the one that fits a cluster's version is chosen. */
  readonly programs: readonly string[];
  /** Where the records of what runs on this host are kept. */
  readonly stateDir: string;
  /** Below which keys, credentials and TLS files of clusters and storages lie; undefined where they may be anywhere. */
  readonly secretsDir: string | undefined;
  /** Holds the key with which manifests are signed; undefined where they are not. */
  readonly manifestKeyFile: string | undefined;
  readonly timing: Timing;
  /** How long a worker that stops goes on with what it has, in milliseconds. */
  readonly drainMs: number;
  /** How much of `backupmeta` and of each of its metafiles is read. */
  readonly metadataBytes: number;
  /** What a `br` may see of this process's environment, by exact name or by prefix. */
  readonly env: Env;
}

export const MANIFEST_KEY_SETTING = 'TIDEMARK_MANIFEST_KEY_FILE';

/** Longer than any backup takes, and short enough for a timer. */
const LONGEST_DRAIN_SECONDS = 7 * 86_400;

const MOST_TASKS = 1_000_000;
const LONGEST_IDLE_SECONDS = 86_400;

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env, onRead?: OnRead): WorkerConfig {
  const reader = configReader(env, onRead);
  const { host, ...operations } = readOperationsListener(reader, 4130);
  const backupService = readPeer(reader, 'TIDEMARK_BACKUP_SERVICE');
  const config: WorkerConfig = {
    ...operations,
    ...readBroker(reader),
    backupService,
    ...readTransportSecurity(reader, { listensOn: host, calls: { TIDEMARK_BACKUP_SERVICE: backupService } }),
    name: reader
      .text('TIDEMARK_WORKER_NAME', {
        about: 'Name of the worker in records and logs.',
        shown: 'host name and process',
        default: `${hostname()}-${process.pid}`,
      })
      .slice(0, MAX_NAME),
    pool: reader.text('TIDEMARK_POOL', { about: 'Pool whose tasks the worker takes.', default: 'default' }),
    slots: reader.integer('TIDEMARK_SLOTS', { about: 'Tasks at once.', default: 1, min: 1, max: 64 }),
    mostTasks:
      reader.integer('TIDEMARK_MAX_TASKS', {
        about: 'Tasks after which the worker takes nothing new, finishes what it has and ends; 0: it stays.',
        default: 0,
        min: 0,
        max: MOST_TASKS,
      }) || undefined,
    idleMs: reader.seconds('TIDEMARK_IDLE_SECONDS', {
      about: 'Time without a task after which the worker ends; 0: it waits for ever.',
      default: 0,
      min: 0,
      max: LONGEST_IDLE_SECONDS,
    }),
    programs: reader.list('TIDEMARK_BR', {
      about: 'Programs to run as `br`; the one that fits the version of a cluster is chosen.',
      default: ['br'],
    }),
    stateDir: reader.text('TIDEMARK_STATE_DIR', {
      about: 'Folder of what the worker knows of processes on its host; it must outlive the worker.',
      shown: 'tidemark-worker in the folder of temporary files',
      default: join(tmpdir(), 'tidemark-worker'),
    }),
    secretsDir:
      reader.text('TIDEMARK_SECRETS_DIR', {
        about:
          'Folder in which keys, credentials and TLS files that clusters and storages name must lie; anywhere unless set.',
        default: '',
      }) || undefined,
    manifestKeyFile:
      reader.text(MANIFEST_KEY_SETTING, {
        about:
          'File with the Ed25519 key (PKCS#8, PEM) with which the worker signs the `tidemark.json` of backups; they are not signed unless set.',
        default: '',
      }) || undefined,
    timing: readTiming(reader),
    drainMs: reader.seconds('TIDEMARK_DRAIN_SECONDS', {
      about: 'How long a worker that stops goes on with the tasks that it has.',
      default: 0,
      min: 0,
      max: LONGEST_DRAIN_SECONDS,
    }),
    metadataBytes: reader.integer(METADATA_BYTES_SETTING, {
      about: 'How much of `backupmeta`, and of each of its metafiles, is read.',
      default: DEFAULT_METADATA_BYTES,
      min: 1,
      max: MAX_METADATA_BYTES,
    }),
    env,
  };
  if (config.secretsDir !== undefined && !isAbsolute(config.secretsDir))
    reader.problem(`TIDEMARK_SECRETS_DIR must be an absolute folder, not "${config.secretsDir}"`);
  reader.finish();
  return config;
}
