import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BACKUP, backup, cluster, restore } from './testing/records.ts';
import { type CommandLine, fail, seen, startCommandLine } from './testing/run.ts';

let line: CommandLine;
let counts: Record<string, number>;
beforeEach(async () => {
  line = await startCommandLine();
  counts = { inTime: 3 };
  line.answers['GET /fleet'] = () => ({ clusters: [], counts, asOf: '' });
  line.answers['GET /backups'] = () => ({ backupRecords: [], page: { page: 1, pageSize: 100, total: 0 } });
  line.answers['GET /restores'] = () => ({ restores: [] });
  line.answers['GET /storages'] = () => ({ storages: [{ id: 'nfs', gone: false }] });
  line.answers['GET /clusters'] = () => ({ clusters: [cluster()] });
  line.answers['GET /workers'] = () => ({ workers: [worker()], total: 1 });
});
afterEach(() => line[Symbol.asyncDispose]());

const worker = (changes: object = {}) => ({
  ...{
    id: 'w',
    name: 'worker-1',
    host: 'h',
    pool: 'default',
    state: 'Present',
    slots: 2,
    freeSlots: 1,
    brVersions: ['v8.5.1'],
  },
  ...{ tasks: [], otherTasks: 0, outOfReach: [], otherOutOfReach: 0, firstSeenTime: '', lastSeenTime: '' },
  ...changes,
});
/** What is found of each thing, by its name. */
const doctor = async (...options: string[]) => {
  const { code, stdout } = await line.run(['doctor', '-o', 'json', ...options]);
  const found = JSON.parse(stdout).findings.map(({ name, ...rest }: { name: string }) => [name, rest]);
  return { code, found: Object.fromEntries(found) as Record<string, { is: string; what: string }> };
};

it('finds nothing wrong where all is fine', async () => {
  const { code, found } = await doctor();
  expect(Object.entries(found).filter(([, { is }]) => is !== 'ok')).toEqual([]);
  expect(code).toBe(0);
});

/** Has a call answer something else. */
const answer = (call: string, data: (path: string) => object) => () => {
  line.answers[call] = ({ path }) => data(path);
};
const workers = (...some: object[]) => answer('GET /workers', () => ({ workers: some, total: some.length }));

it.each([
  ['fleet', () => void Object.assign(counts, { late: 2 }), '2 of 5 clusters have no good backup in time'],
  ['workers', workers(), 'None reported itself'],
  ['workers', workers(worker({ outOfReach: [{ storageId: 'nfs', message: 'No.' }] })), 'worker-1 cannot reach every'],
  ['br versions', workers(worker({ brVersions: ['v7.5.0'] })), 'orders (8.5.0)'],
  ['br versions', workers(worker({ pool: 'east' })), 'no worker in its pool default'],
  [
    'restores',
    answer('GET /restores', () => ({ restores: [restore({ state: 'Failed', targetState: 'Partial' })] })),
    'ended in the middle',
  ],
  [
    'damaged backups',
    answer('GET /backups', (path) => ({
      backupRecords: path.includes('damaged') ? [backup()] : [],
      page: { total: 0 },
    })),
    BACKUP,
  ],
])('says what is wrong with %s, and fails', async (name, spoil, sentence) => {
  spoil();
  const { code, found } = await doctor();
  expect(found[name]).toEqual({ is: 'wrong', what: expect.stringContaining(sentence) });
  expect(code).toBe(1);
});

it('warns of a token file that others can read, of backups that wait long, and of clocks that differ', async () => {
  chmodSync(join(line.folder, 'token'), 0o644);
  const waiting = backup({ state: 'Queued', startTime: '2026-01-05T23:00:00.000Z' });
  line.answers['GET /backups'] = ({ path }) => ({
    backupRecords: path.includes('Queued') ? [waiting] : [],
    page: { total: 1 },
  });
  line.answers['GET /fleet'] = (_, response) => {
    response.setHeader('date', new Date(Date.now() - 30_000).toUTCString());
    return { clusters: [], counts, asOf: '' };
  };
  const { code, found } = await doctor();
  expect(code).toBe(0);
  expect([found['token file']?.is, found.queue?.is, found.clock?.is]).toEqual(['warn', 'warn', 'warn']);
  expect(found.clock?.what).toContain("behind this machine's");
});

it('says what a token may not ask, and has storages tried only when told to', async () => {
  line.answers['GET /storages'] = (_, response) => fail(response, 403, 'No.');
  expect((await doctor()).found.storages?.is).toBe('unknown');
  line.answers['GET /storages'] = () => ({ storages: [{ id: 'nfs', gone: false }] });
  line.answers['POST /storages/nfs/check'] = () => ({
    check: { ok: false, state: 'Done', steps: [{ name: 'write', ok: false, message: 'It is full.' }] },
  });
  expect((await doctor('--check-storages')).found.storages).toEqual({
    is: 'wrong',
    what: expect.stringContaining('nfs (It is full.)'),
  });
});

it('says the whole of what it found on a terminal of 40 columns, below each other', async () => {
  line.answers['GET /workers'] = () => ({ workers: [], total: 0 });
  const { stdout } = await line.run(['doctor'], { columns: 40 });
  const lines = seen(stdout).split('\n');
  expect(Math.max(...lines.map((one) => one.length))).toBeLessThanOrEqual(40);
  expect(stdout).not.toContain('…');
  const found = lines.slice(lines.findIndex((one) => one.startsWith('workers')));
  const end = found.findIndex((one, index) => index > 0 && !one.startsWith(' '));
  const sentence = found.slice(0, end).map((one) => one.slice('damaged backups  wrong  '.length));
  expect(sentence.length).toBeGreaterThan(1);
  expect(sentence.join(' ')).toContain('None reported itself');
});

it('ends at a server that is away or does not know the token', async () => {
  line.answers['GET /fleet'] = (_, response) => fail(response, 401, 'The token is not known.');
  const { code, found } = await doctor();
  expect([code, found.reach, found.fleet]).toEqual([1, { is: 'wrong', what: 'The token is not known.' }, undefined]);
});
