/** What is broken: a whole Tidemark over real servers, each behind a proxy, with a storage of its own. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LocalServer } from '@tidemark/local-stack/local-server';
import { MONGODB_FOLDERS } from '@tidemark/local-stack/private-mongodb';
import { findServers } from '@tidemark/local-stack/servers';
import type { ServiceKind } from '@tidemark/local-stack/service-kinds';
import { type Stack, startStack } from '@tidemark/local-stack/stack';
import type { StackProcess } from '@tidemark/local-stack/stack-process';
import { type FreezableProxy, freezableProxy } from '../e2e/freezable-proxy.ts';
import { TIMING } from '../e2e/timing.ts';
import { type ChaosObjectStore, openChaosObjectStore } from './object-store.ts';
import { type ChaosStorage, OWN_MOUNTS, openChaosStorage } from './storage.ts';

/** A way between two processes that a fault can be put on. */
export interface Link {
  readonly name: string;
  readonly proxy: FreezableProxy;
}

export interface World extends AsyncDisposable {
  readonly stack: Stack;
  readonly broker: LocalServer;
  readonly database: LocalServer;
  /** The database's name on its server. */
  readonly databaseName: string;
  readonly links: readonly Link[];
  readonly storage: ChaosStorage;
  /** Where the database and the workers keep what they must not lose. */
  readonly disk: ChaosStorage;
  /** Of which one worker has no keys. */
  readonly objects: ChaosObjectStore;
  /** What tells a `br` of this world in its command line. */
  readonly brMarks: readonly string[];
  /** Below it everything lies that the processes keep. */
  readonly dataDir: string;
  readonly ledgerFile: string;
  /** From now on the wall clock of a process is wrong by so much. */
  shiftClock(process: StackProcess, ms: number): void;
  /** The pid of a process of a server, while it runs. */
  serverPid(name: 'rabbitmq' | 'mongodb'): number | undefined;
}

const NAME = 'chaos';

const COPIES: Record<ServiceKind, number> = {
  'strategy-service': 2,
  'backup-service': 2,
  'scheduler-service': 2,
  'executor-worker': 3,
  gateway: 2,
};

/** One copy. */
const WITHOUT_KEYS = 'executor-worker-2';
/** The copy that can lose the folder while others keep it. */
export const WITHOUT_MOUNT = 'executor-worker-3';
/** What `br` is like that writes into the bucket, where no file can tell it. */
const OBJECT_BR = {
  DEMO_BR_SECONDS: '3',
  DEMO_BR_REGIONS: '4',
  DEMO_BR_BYTES_PER_FILE: '2048',
  DEMO_BR_FLUSH_SECONDS: '0',
  DEMO_BR_LOCK_TTL_SECONDS: '1',
  DEMO_BR_PROGRESS_INTERVAL_SECONDS: '0.1',
};

/** Who talks to which server. */
const TALKS = {
  mongodb: ['strategy-service', 'backup-service', 'scheduler-service'],
  amqp: ['backup-service', 'executor-worker'],
} as const satisfies Record<string, readonly ServiceKind[]>;

/** Who calls which service. */
const CALLS: Partial<Record<ServiceKind, readonly ServiceKind[]>> = {
  gateway: ['strategy-service', 'backup-service', 'scheduler-service'],
  'scheduler-service': ['strategy-service', 'backup-service'],
  'executor-worker': ['backup-service'],
};

export interface WorldOptions {
  readonly dataDir: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  /** Told when a process or a server ended, and nobody had asked for it. */
  readonly onCrash: (sentence: string) => void;
}

/** Starts it; it is ready when this resolves. */
export async function openWorld({ dataDir, say, signal, onCrash }: WorldOptions): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const storage = opened.use(await openChaosStorage());
  const disk = opened.use(await openChaosStorage());
  keepDatabaseOn(disk.folder, dataDir);
  const clocks = join(dataDir, 'clocks');
  const secrets = join(dataDir, 'links');
  for (const folder of [clocks, secrets]) mkdirSync(folder, { mode: 0o700 });

  const servers = await findServers(
    {},
    {
      dataDir,
      say,
      signal,
      onCrash(server) {
        onCrash(`${server.choice.split(':')[0]} ended unasked`);
        void server.start().catch((error: Error) => onCrash(error.message));
      },
    },
  );
  const { broker, database } = opened.adopt(servers, async (both) => {
    await Promise.all([both.broker[Symbol.asyncDispose](), both.database[Symbol.asyncDispose]()]);
  });
  for (const server of [database, broker]) say(server.choice);
  await Promise.all([database.start(), broker.start()]);
  const objects = opened.use(await openChaosObjectStore({ dataDir, say, signal }));

  const ledgerFile = join(dataDir, 'ledger.jsonl');
  const links: Link[] = [];
  const link = async (name: string, url: string) => {
    const proxy = opened.use(await freezableProxy(url));
    links.push({ name, proxy });
    return proxy.url;
  };
  const env: Partial<Record<ServiceKind, Record<string, string>>> = {};
  for (const [scheme, server] of [
    ['mongodb', database],
    ['amqp', broker],
  ] as const)
    for (const kind of TALKS[scheme]) {
      const file = join(secrets, `${scheme}-${kind}`);
      writeFileSync(file, `${await link(`${kind} to ${scheme}`, server.url)}\n`, { mode: 0o600 });
      env[kind] = { ...env[kind], [`TIDEMARK_${scheme.toUpperCase()}_URL_FILE`]: file };
    }

  const stack = opened.use(
    await startStack({
      dataDir: join(dataDir, 'stack'),
      copies: COPIES,
      restart: false,
      amqpUrl: broker.url,
      mongodbUrl: database.url,
      storage: storage.folder,
      signal,
      say,
      async route(from, to, address) {
        if (!CALLS[from]?.includes(to)) return undefined;
        const url = await link(`${from} to ${to} at ${address}`, `tcp://${address}`);
        return url.slice('tcp://'.length);
      },
      // The worker that fails its tasks is free again first: it must not draw in all that it cannot do.
      ...(storage.breakable && { runnerOfCopy: { [WITHOUT_MOUNT]: OWN_MOUNTS } }),
      envOfCopy: { [WITHOUT_KEYS]: Object.fromEntries(Object.keys(objects.keys).map((name) => [name, ''])) },
      env: {
        ...env,
        'executor-worker': {
          ...env['executor-worker'],
          TIDEMARK_STATE_DIR: join(disk.folder, 'worker-state'),
          ...objects.keys,
          ...OBJECT_BR,
          DEMO_BR_LEDGER: ledgerFile,
        },
        all: {
          ...TIMING,
          TIDEMARK_AMQP_NAMESPACE: NAME,
          TIDEMARK_MONGODB_DATABASE: NAME,
          TIDEMARK_CHAOS_CLOCKS: clocks,
          TIDEMARK_SLOTS: '2',
          NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'shifted-clock.ts')).href}`,
        },
      },
    }),
  );
  const resources = opened.move();
  return {
    stack,
    broker,
    database,
    databaseName: NAME,
    links,
    storage,
    disk,
    objects,
    brMarks: [storage.folder, objects.mark],
    dataDir,
    ledgerFile,
    shiftClock({ operations }, ms) {
      writeFileSync(join(clocks, operations.split(':')[1] ?? ''), String(ms));
    },
    serverPid(name) {
      try {
        return (JSON.parse(readFileSync(join(dataDir, 'run', `${name}.json`), 'utf8')) as { pid: number }).pid;
      } catch {
        return undefined; // it does not run
      }
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Its folder below the data folder is elsewhere, whichever database it is. */
function keepDatabaseOn(disk: string, dataDir: string): void {
  for (const name of [MONGODB_FOLDERS.mongod, MONGODB_FOLDERS.secantusdb]) {
    mkdirSync(join(disk, name), { mode: 0o700 });
    symlinkSync(join(disk, name), join(dataDir, name));
  }
}
