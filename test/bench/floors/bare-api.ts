/**
 * The least that the API's reads and its start of a backup cost: one process with bare Fastify and the driver, without
 * tokens, roles, limits, validation, logs, audit and metrics, and without a service behind it.
 *
 * The same work: the same queries on the same documents with the same answer, the same reads before a start, and the same
 * two things that must be kept before it is answered: the document, in which stands its next ring, and the message for the
 * workers.
 */
import { randomBytes } from 'node:crypto';
import { connectBroker } from '@tidemark/messaging/connection';
import { startPublisher } from '@tidemark/messaging/publisher';
import { CommandKind } from '@tidemark/protocol/queue/v1/commands';
import { fastify } from 'fastify';
import { type Db, MongoClient } from 'mongodb';
import { queuedBackup, type StoredDocument } from '../../documents.ts';
import { bareRecord } from './bare-record.ts';
import { floorReady, floorSettings } from './floor.ts';

/** What this floor is told. */
export interface BareApiSettings {
  readonly mongodbUrl: string;
  readonly database: string;
  readonly amqpUrl: string;
  readonly namespace: string;
  /** How many requests are served at once and how many wait for their turn; what is over is a 503. All at once without. */
  readonly bound?: { readonly atOnce: number; readonly waiting: number };
}

const POOL = 'default';
const RING_MS = 600_000;
const silent = () => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent };

const settings = await floorSettings<BareApiSettings>();
const client = new MongoClient(settings.mongodbUrl, { writeConcern: { w: 'majority', journal: true } });
const db = client.db(settings.database);
const broker = await connectBroker({ url: settings.amqpUrl, connectionName: 'bare-api', log });
const publisher = startPublisher(broker, { namespace: settings.namespace, log });

const app = fastify();
if (settings.bound) boundRequests(settings.bound);
const backups = db.collection<StoredDocument>('backups');

app.get<{ Querystring: { clusterId: string; pageSize: string } }>('/backups', async ({ query }) => {
  const filter = { clusterId: query.clusterId, deleteTime: null };
  const pageSize = Number(query.pageSize);
  const [found, total] = await Promise.all([
    backups.find(filter).sort({ startTime: -1, _id: -1 }).skip(0).limit(pageSize).toArray(),
    backups.countDocuments(filter),
  ]);
  return answer(
    { backupRecords: found.map((backup) => bareRecord(backup, { listed: true })) },
    { page: 1, pageSize, total },
  );
});

app.get<{ Params: { id: string } }>('/backups/:id', async ({ params }) => {
  const backup = await backups.findOne({ _id: params.id });
  return answer({ backup: bareRecord(backup ?? {}) });
});

app.post<{ Body: { clusterId: string } }>('/backups', async ({ body }) => {
  const cluster = await db.collection<StoredDocument>('clusters').findOne({ _id: body.clusterId });
  const storage = await db.collection<StoredDocument>('storages').findOne({ _id: cluster?.storageId });
  const id = randomBytes(16).toString('base64url');
  const bare = bareBackups(db);
  const backup = queuedBackup(id, { clusterId: body.clusterId, storage: storage ?? {}, at: new Date() });
  await bare.insertOne({ ...backup, task: { ...backup.task, ringAt: new Date(Date.now() + RING_MS), rings: 1 } });
  const command = { kind: CommandKind.COMMAND_KIND_BACKUP, id };
  await publisher.publishRun(POOL, command, { expirationMs: RING_MS, requestId: id });
  return answer({ backupId: id, workFlowId: id });
});

/** The least that keeps a crowd from sharing everything: a queue with an end. */
function boundRequests({ atOnce, waiting }: NonNullable<BareApiSettings['bound']>): void {
  const queue: (() => void)[] = [];
  let underWay = 0;
  app.addHook('onRequest', async (_, reply) => {
    if (underWay >= atOnce) {
      if (queue.length >= waiting) return reply.code(503).send();
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    underWay += 1;
    reply.raw.once('close', () => {
      underWay -= 1;
      queue.shift()?.();
    });
  });
}

function answer(data: object, page?: object): object {
  return { code: 0, message: 'OK', data, ...(page && { page }) };
}

/** Beside the product's collection, so that nobody rings for these. */
function bareBackups(database: Db) {
  return database.collection<StoredDocument>('bare_backups');
}

const url = await app.listen({ host: '127.0.0.1', port: 0 });
floorReady({ url });
