import { randomUUID } from 'node:crypto';
import { expect, inject, it } from 'vitest';
import { connectMongo } from './connection.ts';
import { startIndexing } from './indexes.ts';
import { dropTestDatabase } from './testing/drop-test-database.ts';

const quiet = { info() {}, warn() {} };
const connect = (url: string) => connectMongo({ url, database: `test-${randomUUID()}`, appName: 'test', log: quiet });
const never = new AbortController().signal;

it('whoever waits for the indexes goes on once each of them guards its keys', async () => {
  await using mongo = connect(inject('mongodbUrl'));
  const specs = ['a', 'b'].map((name) => ({ collection: name, keys: { key: 1 }, unique: true }) as const);
  await using indexing = startIndexing(mongo.db, specs, { log: quiet });
  await indexing.wait(never);
  for (const name of ['a', 'b']) {
    await mongo.db.collection(name).insertOne({ key: 1 });
    await expect(mongo.db.collection(name).insertOne({ key: 1 })).rejects.toMatchObject({ code: 11_000 });
  }
  expect(() => indexing.check()).not.toThrow();
  await dropTestDatabase(mongo.db);
});

it('waits a moment only, and no longer than who asks', async () => {
  await using mongo = connect('mongodb://127.0.0.1:1/');
  await using indexing = startIndexing(mongo.db, [{ collection: 'a', keys: { key: 1 } }], { log: quiet });
  const refusal = { code: 'unavailable', message: expect.stringContaining('still being created') };
  await expect(indexing.wait(never)).rejects.toMatchObject(refusal);
  await expect(indexing.wait(AbortSignal.abort())).rejects.toMatchObject(refusal);
});
