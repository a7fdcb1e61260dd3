/** Settings that several processes read in the same way. */
import { DEFAULT_EXACT_TOTAL, MAX_EXACT_TOTAL } from '@tidemark/limits/limits';
import type { Address, ConfigReader } from './env.ts';

/** Where a process listens. */
export interface Listeners {
  readonly host: string;
  readonly port: number;
  readonly operationsHost: string;
  readonly operationsPort: number;
}

export interface Database {
  readonly mongodbUrl: string;
  readonly mongodbDatabase: string;
}

export interface Broker {
  readonly amqpUrl: string;
  readonly amqpNamespace: string;
}

const LAST_PORT = 65_535;

/** @param defaults the ports unless set */
export function readListeners(
  reader: ConfigReader,
  defaults: { readonly port: number; readonly operationsPort: number },
): Listeners {
  const operations = readOperationsListener(reader, defaults.operationsPort);
  const about = 'Port of its API; 0 takes a free one.';
  return { ...operations, port: reader.integer('TIDEMARK_PORT', { about, default: defaults.port, max: LAST_PORT }) };
}

/** Of a process that serves no API. */
export function readOperationsListener(reader: ConfigReader, port: number): Omit<Listeners, 'port'> {
  const host = reader.text('TIDEMARK_HOST', { about: 'Address that the process listens on.', default: '127.0.0.1' });
  return {
    host,
    operationsHost: reader.text('TIDEMARK_OPERATIONS_HOST', {
      about: 'Address of `/livez`, `/readyz` and `/metrics`.',
      shown: 'TIDEMARK_HOST',
      default: host,
    }),
    operationsPort: reader.integer('TIDEMARK_OPERATIONS_PORT', {
      about: 'Port of `/livez`, `/readyz` and `/metrics`; 0 takes a free one.',
      default: port,
      max: LAST_PORT,
    }),
  };
}

export function readDatabase(reader: ConfigReader): Database {
  return {
    mongodbUrl: reader.secret('TIDEMARK_MONGODB_URL', { about: 'Where the database is.', required: true }) ?? '',
    mongodbDatabase: reader.text('TIDEMARK_MONGODB_DATABASE', { about: 'Name of the database.', default: 'tidemark' }),
  };
}

export function readBroker(reader: ConfigReader): Broker {
  return {
    amqpUrl: reader.secret('TIDEMARK_AMQP_URL', { about: 'Where RabbitMQ is.', required: true }) ?? '',
    amqpNamespace: reader.text('TIDEMARK_AMQP_NAMESPACE', {
      about: 'First part of the names of queues and exchanges.',
      default: 'tidemark',
    }),
  };
}

/** @param what is listed, such as backups */
export function readExactTotal(reader: ConfigReader, what: string): number {
  return reader.integer('TIDEMARK_EXACT_TOTAL', {
    about: `Up to how many ${what} the total of a list is exact.`,
    default: DEFAULT_EXACT_TOTAL,
    min: 1,
    max: MAX_EXACT_TOTAL,
  });
}

/** Where another process is. */
export function readPeer(reader: ConfigReader, setting: keyof typeof PEERS): Address {
  const { name, port } = PEERS[setting];
  return reader.address(setting, { about: `Address of ${name}.`, default: `127.0.0.1:${port}` });
}

const PEERS = {
  TIDEMARK_STRATEGY_SERVICE: { name: 'strategy-service', port: 4117 },
  TIDEMARK_BACKUP_SERVICE: { name: 'backup-service', port: 4118 },
  TIDEMARK_SCHEDULER_SERVICE: { name: 'scheduler-service', port: 4119 },
} as const;
