import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { expect, onTestFinished, test, vi } from 'vitest';
import { claimDataFolder } from './data-folder.ts';
import { localServer } from './local-server.ts';
import { findMongodb } from './mongodb.ts';
import { freePort } from './ports.ts';
import { readRunRecords } from './run-record.ts';
import { temporaryDataFolder } from './temporary-data.ts';
import { watchServer } from './watch-server.ts';

/** A file system of its own, so that it can be filled; undefined where this user may mount none. */
function smallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=60m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

test('the private database is back by itself, with all that it had taken, when a full disk has room again', async (context) => {
  const disk = smallDisk();
  if (disk === undefined) return context.skip('only the superuser can mount a small disk (mount -t tmpfs)');
  const stop = new AbortController();
  const said: string[] = [];
  using folder = await claimDataFolder(join(disk, 'data'));
  await using database = await findMongodb({ dataDir: folder.path, say: () => undefined, signal: stop.signal });
  await database.start();
  const watching = watchServer(database, { say: (line) => said.push(line), signal: stop.signal, everyMs: 200 });
  await using client = new MongoClient(database.url, { serverSelectionTimeoutMS: 2_000, socketTimeoutMS: 5_000 });
  const records = client.db('tidemark').collection('backups');
  let taken = 0;
  const write = async () => {
    await records.insertOne({ text: 'x'.repeat(100_000) });
    taken += 1;
  };

  const { bavail, bsize } = statfsSync(disk);
  mkdirSync(join(disk, 'others'));
  writeFileSync(join(disk, 'others', 'file'), Buffer.alloc(Math.max(0, bavail * bsize - 1_000_000)));
  await vi.waitFor(() => expect(write()).rejects.toThrow(), { timeout: 30_000, interval: 1 });
  rmSync(join(disk, 'others'), { recursive: true });

  await vi.waitFor(write, { timeout: 40_000, interval: 500 });
  expect(await records.countDocuments()).toBe(taken);
  stop.abort();
  await watching;
}, 120_000);

const refused = 'cannot be asked';
test.each([
  [
    'after three bad answers in a row',
    [refused, 'broken', 'broken', refused, refused, 'broken', 'broken', 'broken'],
    'answers with errors (broken)',
  ],
  [
    'where it stays so',
    [...Array(99).fill(refused), undefined, ...Array(100).fill(refused)],
    'answers nothing any more',
  ],
])(
  'a server that cannot even be asked is left running and asked again, and started again %s',
  async (_, answers, why) => {
    const stop = new AbortController();
    using folder = await claimDataFolder(temporaryDataFolder());
    onTestFinished(() => rmSync(folder.path, { recursive: true, force: true }));
    const port = await freePort();
    const asked = answers.length;
    const left: number[] = [];
    const said: string[] = [];
    const pids = () => readRunRecords(folder.path).map(({ pid }) => pid);
    await using server = localServer(
      {
        url: `tcp://127.0.0.1:${port}`,
        choice: 'listener: one of a test',
        processes: [
          {
            name: 'listener',
            title: 'the listener',
            program: process.execPath,
            args: ['-e', `require('node:net').createServer().listen(${port}, '127.0.0.1')`],
            env: {},
            port,
            startTimeoutMs: 30_000,
            stopGraceMs: 2_000,
          },
        ],
        prepare: async () => undefined,
        erase: async () => undefined,
        async whySick() {
          const answer = answers.shift();
          left.push(...pids());
          if (answer === refused) throw new Error(refused);
          return answer;
        },
      },
      { dataDir: folder.path, say: () => undefined, signal: stop.signal },
    );
    await server.start();
    const [first] = pids();
    const watching = watchServer(server, { say: (line) => said.push(line), signal: stop.signal, everyMs: 10 });
    await vi.waitFor(() => expect(said).toContain('listener is back'), { timeout: 30_000 });
    expect(said).toEqual([`listener ${why}: starting it again`, 'listener is back']);
    expect(left.slice(0, asked)).toEqual(Array(asked).fill(first));
    expect(answers).toEqual([]);
    expect(pids()).not.toContain(first);
    stop.abort();
    await watching;
  },
);
