import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Container,
  containerName,
  containerProcess,
  findDocker,
  removeContainer,
  removeVolume,
} from './docker.ts';
import { type LocalServer, type LocalServerOptions, localServer } from './local-server.ts';
import { downloadMongod, findDownloadedMongod, findInstalledMongod } from './mongod-program.ts';
import { makeContainerUser } from './mongod-user.ts';
import { databaseUser, ensureDatabaseUser } from './mongodb-user.ts';
import { freePort } from './ports.ts';
import { HELLO, MONGODB_FOLDERS, mongodbUrl, privateMongod, privateSecantusdb } from './private-mongodb.ts';
import { installSecantusdb, isSecantusdbInstalled } from './secantusdb.ts';

const IMAGE = 'mongo:8';
const ADVICE = 'Install MongoDB 4.4 or newer, start Docker, or set TIDEMARK_MONGODB_URL.';

/**
 * Finds a server for MongoDB's protocol for a stack and prepares it (stack-findings 11); `start` is the caller's.
 * A data folder stays with the kind of server that wrote it. A new one takes what is installed already, else the
 * official `mongod` by download, the official image where a Docker engine answers, SecantusDB through pip.
 *
 * @throws a sentence that says what to install when there is none
 */
export async function findMongodb(options: LocalServerOptions): Promise<LocalServer> {
  const { dataDir, signal } = options;
  const wrote = (kind: keyof typeof MONGODB_FOLDERS) => existsSync(join(dataDir, MONGODB_FOLDERS[kind]));
  const bound = wrote('mongod') || wrote('container') || wrote('secantusdb');

  if (!bound || wrote('mongod')) {
    const mongod = (await findInstalledMongod(signal)) ?? (await findDownloadedMongod());
    if (mongod !== undefined) return privateMongod(mongod, options);
  }
  if (wrote('secantusdb') || (!bound && isSecantusdbInstalled())) return secantusdb(options);
  if (!bound || wrote('mongod')) {
    const mongod = await downloadMongod(options);
    if (mongod !== undefined) return privateMongod(mongod, options);
  }
  if (!bound || wrote('container')) {
    const docker = await findDocker(signal);
    if (docker !== undefined) return mongodbContainer(docker, options);
  }
  if (!bound) return secantusdb(options);
  throw new Error(`The MongoDB that wrote the data in ${dataDir} is gone. ${ADVICE}`);
}

async function secantusdb(options: LocalServerOptions): Promise<LocalServer> {
  try {
    return await privateSecantusdb(await installSecantusdb(options), options);
  } catch (error) {
    options.signal.throwIfAborted();
    throw new Error(`There is no MongoDB on this machine, and ${(error as Error).message} ${ADVICE}`, { cause: error });
  }
}

async function mongodbContainer(docker: string, options: LocalServerOptions): Promise<LocalServer> {
  const port = await freePort();
  const folder = join(options.dataDir, MONGODB_FOLDERS.container);
  const user = databaseUser(options.dataDir);
  const envFile = join(folder, 'container.env');
  const container: Container = {
    docker,
    image: IMAGE,
    name: containerName(options.dataDir, 'mongodb'),
    innerPort: 27_017,
    innerData: '/data/db',
    envFile,
  };
  // With these the image makes the user in an empty volume, and asks for a password.
  const variables = `MONGO_INITDB_ROOT_USERNAME=${user.user}\nMONGO_INITDB_ROOT_PASSWORD=${user.password}\n`;
  const plan = {
    url: mongodbUrl(user, port),
    choice: `MongoDB: Docker image ${IMAGE}, container and volume ${container.name}`,
    processes: [containerProcess(container, { name: 'mongodb', title: 'MongoDB', port, probe: HELLO })],
    prepare: async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(envFile, variables, { mode: 0o600 });
      await removeContainer(container);
    },
    // A volume of a version that asked for no password has no user.
    onListening: () =>
      ensureDatabaseUser(folder, user, () => makeContainerUser(docker, container.name, user, options.signal)),
    afterStop: () => removeContainer(container),
    erase: async () => {
      await removeVolume(container);
      await rm(folder, { recursive: true, force: true });
    },
  };
  return localServer(plan, options);
}
