import { readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { claimDataFolder, type DataFolder } from './data-folder.ts';
import type { LocalServer, LocalServerOptions } from './local-server.ts';
import { findMongodb } from './mongodb.ts';
import { isTaken } from './ports.ts';
import { isAlive } from './process-identity.ts';
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
  test('starts a private server, and stops it without leaving a process', async () => {
    const options = await newOptions();
    const server = await find(options);
    await server.start();
    const records = readRunRecords(options.dataDir);
    expect(records.map(({ name }) => name).sort()).toEqual(names);
    expect(records.every(isAlive)).toBe(true);

    await server.stop();
    expect(records.some(isAlive)).toBe(false);
    expect(readRunRecords(options.dataDir)).toEqual([]);
    expect(await isTaken(portOf(server))).toBe(false);
  });

  test('tells of a crash, and comes back on the same address with its data wiped', async () => {
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
  });
});

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
