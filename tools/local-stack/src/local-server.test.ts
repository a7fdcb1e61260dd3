import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isAlive } from '@tidemark/processes/identity';
import { MongoClient } from 'mongodb';
import { afterEach, describe, expect, test } from 'vitest';
import { claimDataFolder, type DataFolder } from './data-folder.ts';
import type { LocalServer, LocalServerOptions } from './local-server.ts';
import { findMongodb } from './mongodb.ts';
import { isTaken } from './ports.ts';
import { MONGODB_FOLDERS } from './private-mongodb.ts';
import { findRabbitmq } from './rabbitmq.ts';
import { readRunRecords } from './run-record.ts';
import { temporaryDataFolder } from './temporary-data.ts';

const folders: DataFolder[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) {
    folder[Symbol.dispose]();
    await rm(folder.path, { recursive: true, force: true });
  }
});

async function newOptions(onCrash?: LocalServerOptions['onCrash']): Promise<LocalServerOptions> {
  const folder = await claimDataFolder(temporaryDataFolder());
  folders.push(folder);
  return { dataDir: folder.path, say: () => undefined, signal: AbortSignal.timeout(120_000), onCrash };
}

function portOf(server: LocalServer): number {
  return Number(new URL(server.url).port);
}

describe.each([
  { find: findRabbitmq, names: ['epmd', 'rabbitmq'] },
  { find: findMongodb, names: ['mongodb'] },
])('$find.name', ({ find, names }) => {
  test('is a private server that tells of a crash, comes back on the same address with its data wiped, and stops without leaving a process', async () => {
    const crashed = Promise.withResolvers<LocalServer>();
    const options = await newOptions(crashed.resolve);
    await using server = await find(options);
    await server.start();
    const { url } = server;
    for (const { pid } of readRunRecords(options.dataDir)) process.kill(pid, 'SIGKILL');
    expect(await crashed.promise).toBe(server);
    expect(readRunRecords(options.dataDir)).toEqual([]);

    await server.wipe();
    expect(readRunRecords(options.dataDir)).toEqual([]);
    await server.start();
    expect(server.url).toBe(url);
    expect(await isTaken(portOf(server))).toBe(true);
    const records = readRunRecords(options.dataDir);
    expect(records.map(({ name }) => name).sort()).toEqual(names);
    expect(records.every(isAlive)).toBe(true);

    await server.stop();
    expect(records.some(isAlive)).toBe(false);
    expect(readRunRecords(options.dataDir)).toEqual([]);
    expect(await isTaken(portOf(server))).toBe(false);
  });
});

test('the private database answers only to its own user, also on data that was written before it had one', async () => {
  const options = await newOptions();
  await using server = await findMongodb(options);
  await server.start();
  const { username, password, port } = new URL(server.url);
  const path = join(options.dataDir, 'secrets', 'mongodb-user.json');
  expect(password).toMatch(/^[0-9a-f]{48}$/);
  expect(server.choice).not.toContain(password);
  expect(readFileSync(path, 'utf8')).toContain(password);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await write(server.url);

  const stranger = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  await expect(write(stranger)).rejects.toMatchObject({ codeName: 'Unauthorized' });
  await expect(read(stranger)).rejects.toMatchObject({ codeName: 'Unauthorized' });
  const guess = `mongodb://${username}:${'0'.repeat(48)}@127.0.0.1:${port}/?authSource=admin&directConnection=true`;
  await expect(read(guess)).rejects.toMatchObject({ codeName: 'AuthenticationFailed' });

  // As a data folder of a version without a password: its server has no user of this name.
  await server.stop();
  await rm(path);
  for (const folder of Object.values(MONGODB_FOLDERS))
    await rm(join(options.dataDir, folder, 'tidemark-user'), { force: true });
  await using again = await findMongodb(options);
  await again.start();
  expect(new URL(again.url).password).not.toBe(password);
  expect(await read(again.url)).toBe(1);
});

test('a damaged file of a password is named in the sentence that refuses to start', async () => {
  const options = await newOptions();
  for (const { file, find } of [
    { file: join(options.dataDir, 'rabbitmq', 'identity.json'), find: findRabbitmq },
    { file: join(options.dataDir, 'secrets', 'mongodb-user.json'), find: findMongodb },
  ])
    for (const damaged of ['', '{"node":"a@localhost","us', '{"node":"a@localhost","user":"a","password":""}']) {
      await mkdir(dirname(file), { recursive: true });
      writeFileSync(file, damaged);
      await expect(find(options)).rejects.toThrow(`${file} is damaged`);
    }
});

async function write(url: string): Promise<void> {
  await using client = new MongoClient(url);
  await client.db('tidemark').collection('backups').insertOne({ name: 'kept' });
}

async function read(url: string): Promise<number> {
  await using client = new MongoClient(url);
  return await client.db('tidemark').collection('backups').countDocuments();
}

test('the private broker has a user of its own, whose password is only in files of its owner', async () => {
  const options = await newOptions();
  const { url, choice } = await findRabbitmq(options);
  const { username, password } = new URL(url);
  expect(username).toMatch(/^tidemark-/);
  expect(password).toMatch(/^[0-9a-f]{48}$/);
  expect(choice).not.toContain(password);
  const path = join(options.dataDir, 'rabbitmq', 'identity.json');
  expect(readFileSync(path, 'utf8')).toContain(password);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
