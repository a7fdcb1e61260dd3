/**
 * The database is set back to an older copy as docs/operations.md says: what finished since is kept, what was made since comes back, and a
 * restore that is long over is not begun again.
 */
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { type Db, type Document, MongoClient } from 'mongodb';
import { afterAll, expect, inject, it, vi } from 'vitest';
import { startTidemark } from './tidemark.ts';

const DATABASE = `test-set-back-${Math.random().toString(36).slice(2, 10)}`;
/** Longer than it takes to copy the database meanwhile. */
const LONG = { seconds: 5, restore: { seconds: 5 } };
const PATIENT = { timeout: 60_000, interval: 200 };

type Copy = ReadonlyMap<string, readonly Document[]>;

const mongo = new MongoClient(inject('mongodbUrl'));
const db = mongo.db(DATABASE);
afterAll(async () => {
  await dropTestDatabase(db);
  await mongo.close();
});

async function copyOf(from: Db): Promise<Copy> {
  const collections = await from.listCollections({}, { nameOnly: true }).toArray();
  const documents = collections.map(async ({ name }) => [name, await from.collection(name).find().toArray()] as const);
  return new Map(await Promise.all(documents));
}

async function setBack(to: Db, copy: Copy): Promise<void> {
  for (const { name } of await to.listCollections({}, { nameOnly: true }).toArray()) {
    await to.collection(name).deleteMany({});
    const documents = copy.get(name) ?? [];
    if (documents.length > 0) await to.collection(name).insertMany([...documents]);
  }
}

/** The lines for mongosh in docs/operations.md, "Going back to a copy". */
async function takeOutUnfinished(from: Db): Promise<void> {
  const records = from.collection<{ _id: string; holds: string[] }>('backups');
  const states = { $in: ['Queued', 'Running', 'Canceling'] };
  const unfinished = { $or: [{ state: states }, { 'restore.state': states }] };
  const holds = (await records.find(unfinished).toArray()).map(({ _id }) => `restore:${_id}`);
  await records.updateMany({}, { $pull: { holds: { $in: holds } } });
  await records.deleteMany(unfinished);
}

it('loses no backup and repeats no restore', async () => {
  await using tidemark = await startTidemark({
    copies: { 'executor-worker': 2 },
    env: { all: { TIDEMARK_MONGODB_DATABASE: DATABASE } },
  });
  const { stack } = tidemark;
  const [from, into] = ['10.0.9.1:2379', '10.0.9.2:2379'];
  const source = await tidemark.cluster('source', { pd: [from] });
  const target = await tidemark.cluster('target', { pd: [into], purpose: 'scratch' });
  await performTask(tidemark.demoCluster(into), { verb: 'empty' }, AbortSignal.timeout(10_000));
  const read = await tidemark.start(source);
  await tidemark.untilState(read, 'Succeeded');

  tidemark.demo(LONG, source);
  const other = await tidemark.cluster('other');
  tidemark.demo(LONG, other);
  const wish = { backupId: read, targetClusterId: target, confirm: target };
  const { data, code, message } = await tidemark.call<{ restoreId: string }>('POST', '/restores', wish);
  expect(code, message).toBe(0);
  const ran = await tidemark.start(other);
  await vi.waitFor(() => {
    const started = tidemark.ledger().filter(({ event }) => event === 'start');
    expect(started.map(({ command }) => command).sort()).toEqual(['backup', 'backup', 'restore']);
  }, PATIENT);
  const copy = await copyOf(db);

  const restore = async () =>
    (await tidemark.call<{ restore: { state: string } }>('GET', `/restores/${data.restoreId}`)).data.restore.state;
  await vi.waitFor(async () => expect(await restore()).toBe('Succeeded'), PATIENT);
  await tidemark.untilState(ran, 'Succeeded');
  const since = await tidemark.start(other);
  await tidemark.untilState(since, 'Succeeded');
  const witnessed = tidemark.ledger().length;

  for (const one of stack.processes) await one.stop();
  await setBack(db, copy);
  // A copy that is older than the deadline of what ran then.
  const records = db.collection<{ _id: string }>('backups');
  await records.updateOne({ _id: ran }, { $set: { deadline: new Date(0) } });
  await takeOutUnfinished(db);
  await Promise.all(stack.processes.map((one) => one.start()));
  const rebuild = await tidemark.patiently<{ check: { id: string } }>('POST', '/storages/local/rebuild', {
    apply: true,
  });
  await vi.waitFor(async () => {
    const path = `/storages/local/checks/${rebuild.data.check.id}`;
    const { check } = (await tidemark.patiently<{ check: { state: string; ok: boolean } }>('GET', path)).data;
    expect(check).toMatchObject({ state: 'Done', ok: true });
  }, PATIENT);

  for (const id of [read, ran, since]) {
    const record = await tidemark.record(id);
    expect(record).toMatchObject({ state: 'Succeeded', deletion: { state: 'None' }, holds: [] });
    expect(tidemark.files(record.filePath)).toContain('backupmeta');
  }
  expect(await tidemark.call('GET', `/restores/${data.restoreId}`)).toMatchObject({ status: 404 });
  // Both clusters are free, and nothing ran but what is asked for now.
  await tidemark.untilState(await tidemark.start(target), 'Succeeded');
  expect(tidemark.ledger().length).toBe(witnessed + 2);
}, 240_000);
