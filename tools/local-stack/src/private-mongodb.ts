import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MongoClient, MongoServerError } from 'mongodb';
import { type LocalServer, type LocalServerOptions, localServer } from './local-server.ts';
import { makeMongodUser } from './mongod-user.ts';
import { databaseUser, ensureDatabaseUser } from './mongodb-user.ts';
import { freePort } from './ports.ts';
import { makeSecantusdbUser, SECANTUSDB_VERSION } from './secantusdb.ts';
import type { ServerUser } from './secret-files.ts';

/** Where each kind of server keeps its data below the data folder; they cannot read one another's. */
export const MONGODB_FOLDERS = { mongod: 'mongodb', secantusdb: 'secantusdb', container: 'mongodb-container' } as const;

/** The command `hello` as an OP_MSG of MongoDB's wire protocol: what answers it is up. */
export const HELLO = opMsg('10 68656c6c6f00 01000000 02 24646200 06000000 61646d696e00');

/** A server program that speaks MongoDB's protocol, and how it wants to be called. */
interface MongodbProgram {
  readonly title: string;
  readonly choice: string;
  readonly program: string;
  readonly folder: string;
  args(port: number, folder: string): string[];
  /** Makes the user in the data of the stopped server, or gives it this password. */
  makeUser(folder: string, user: ServerUser, signal: AbortSignal): Promise<void>;
}

/** Prepares (and does not start) the `mongod` at that path as a private server. */
export function privateMongod(program: string, options: LocalServerOptions): Promise<LocalServer> {
  const server: MongodbProgram = {
    title: 'MongoDB',
    choice: `${program}, private`,
    program,
    folder: MONGODB_FOLDERS.mongod,
    args: (port, folder) => [
      ...['--bind_ip', '127.0.0.1', '--port', String(port)],
      ...['--dbpath', folder, '--nounixsocket', '--quiet', '--auth'],
    ],
    makeUser: (folder, user, signal) => makeMongodUser(program, folder, user, signal),
  };
  return privateServer(server, options);
}

/** Prepares (and does not start) a private SecantusDB run by the Python it is installed for. */
export function privateSecantusdb(python: string, options: LocalServerOptions): Promise<LocalServer> {
  const server: MongodbProgram = {
    title: 'SecantusDB',
    choice: `SecantusDB ${SECANTUSDB_VERSION}, embedded`,
    program: python,
    folder: MONGODB_FOLDERS.secantusdb,
    args: (port, folder) => [
      ...['-c', 'from secantus.cli import main; main()'],
      ...['--host', '127.0.0.1', '--port', String(port)],
      ...['--storage-path', folder, '--log-level', 'WARNING', '--sync-on-commit', '--cache-size', '256M', '--auth'],
    ],
    makeUser: (folder, user, signal) => makeSecantusdbUser(python, folder, user, signal),
  };
  return privateServer(server, options);
}

/**
 * Where clients of a private server connect. Writes are not repeated by the driver: a single mongod does not know that, and SecantusDB slows
 * down with each write that it remembers for it.
 */
export function mongodbUrl({ user, password }: ServerUser, port: number): string {
  const options = 'authSource=admin&directConnection=true&w=majority&journal=true&retryWrites=false';
  return `mongodb://${user}:${password}@127.0.0.1:${port}/?${options}`;
}

async function privateServer(server: MongodbProgram, options: LocalServerOptions): Promise<LocalServer> {
  const folder = join(options.dataDir, server.folder);
  const port = await freePort();
  const user = databaseUser(options.dataDir);
  const mongodb = {
    name: 'mongodb',
    title: server.title,
    program: server.program,
    args: server.args(port, folder),
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', HOME: folder },
    port,
    probe: HELLO,
    startTimeoutMs: 60_000,
    stopGraceMs: 15_000,
  };
  const plan = {
    url: mongodbUrl(user, port),
    choice: `MongoDB: ${server.choice}, ${folder}`,
    processes: [mongodb],
    prepare: async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await ensureDatabaseUser(folder, user, () => server.makeUser(folder, user, options.signal));
    },
    whySick: (signal: AbortSignal) => whySick(mongodbUrl(user, port), signal),
    erase: () => rm(folder, { recursive: true, force: true }),
  };
  return localServer(plan, options);
}

/** The database is alive when a read succeeds: one that met a full disk still answers `hello` and `ping`. */
async function whySick(url: string, signal: AbortSignal): Promise<string | undefined> {
  await using client = new MongoClient(url, { serverSelectionTimeoutMS: 2_000, socketTimeoutMS: 5_000 });
  try {
    await client.db('admin').collection('alive').findOne({}, { signal });
    return undefined;
  } catch (error) {
    if (error instanceof MongoServerError) return error.message;
    throw error;
  }
}

/** Frames the elements of one BSON document, written in hex, as an OP_MSG. */
function opMsg(elements: string): Buffer {
  const body = Buffer.from(elements.replaceAll(' ', ''), 'hex');
  const document = Buffer.concat([int32(body.length + 5), body, Buffer.from([0])]);
  const section = Buffer.concat([int32(0), Buffer.from([0]), document]);
  return Buffer.concat([int32(section.length + 16), int32(1), int32(0), int32(2013), section]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
