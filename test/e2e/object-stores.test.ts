import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, ListObjectsV2Command, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { Storage as GoogleStorage } from '@google-cloud/storage';
import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import { type AzureServer, startAzureServer } from '@tidemark/local-stack/object-stores/azure';
import { startGcsServer } from '@tidemark/local-stack/object-stores/gcs';
import type { ObjectStore } from '@tidemark/local-stack/object-stores/object-store';
import { startOddStore } from '@tidemark/local-stack/object-stores/odd-store';
import { startS3Server } from '@tidemark/local-stack/object-stores/s3';
import { removeFolder, temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import { connectBroker } from '@tidemark/messaging/connection';
import { deleteNamespace, topology } from '@tidemark/messaging/topology';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const BUCKET = 'backups';
const S3_KEY = { AWS_ACCESS_KEY_ID: 'tidemark-test', AWS_SECRET_ACCESS_KEY: randomBytes(20).toString('hex') };
/** How odd stores are read, written and emptied is tried request by request beside the code; here with TIDEMARK_LONG_TESTS=1. */
const ODD = process.env.TIDEMARK_LONG_TESTS === '1' ? ['noEmptyParts', 'listsInVersionOne'] : [];
/** Of those, and of the kinds themselves, what restores are tried from. */
const RESTORED = ['s3', 'azure', 'gcs', 'listsInVersionOne'];
const NAMESPACE = `test-${Math.random().toString(36).slice(2, 10)}`;

describe('a backup into an object store', () => {
  const stack = new AsyncDisposableStack();
  let s3: ObjectStore;
  let azure: AzureServer;
  let gcs: ObjectStore;
  let tidemark: Tidemark;
  let script: string;
  /** What nobody but br may see. */
  let secrets: string[];

  const s3Client = () =>
    stack.adopt(
      new S3Client({
        endpoint: s3.endpoint,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: { accessKeyId: S3_KEY.AWS_ACCESS_KEY_ID, secretAccessKey: S3_KEY.AWS_SECRET_ACCESS_KEY },
      }),
      (client) => client.destroy(),
    );
  const azureClient = () =>
    new BlobServiceClient(azure.endpoint, new StorageSharedKeyCredential(azure.accountName, azure.accountKey));
  const googleClient = () => new GoogleStorage({ apiEndpoint: gcs.endpoint, projectId: 'test' });
  const keys: Readonly<Record<string, () => Promise<string[]>>> = {
    s3: async () => {
      const { Contents = [] } = await s3Client().send(new ListObjectsV2Command({ Bucket: BUCKET }));
      return Contents.map(({ Key = '' }) => Key);
    },
    azure: async () => {
      const found: string[] = [];
      for await (const { name } of azureClient().getContainerClient(BUCKET).listBlobsFlat()) found.push(name);
      return found;
    },
    noEmptyParts: () => keysOf('s3'),
    listsInVersionOne: () => keysOf('s3'),
    gcs: async () => (await googleClient().bucket(BUCKET).getFiles())[0].map(({ name }) => name),
  };

  const keysOf = (kind: string) => keys[kind]?.() ?? Promise.resolve([]);

  beforeAll(async () => {
    const dataDir = stack.adopt(temporaryDataFolder(), removeFolder);
    stack.use(await claimDataFolder(dataDir));
    const options = { dataDir, say: console.error, signal: AbortSignal.timeout(300_000) };
    [s3, azure, gcs] = await Promise.all([startS3Server(options), startAzureServer(options), startGcsServer(options)]);
    for (const store of [s3, azure, gcs]) stack.use(store);
    const azureKey = { AZURE_STORAGE_ACCOUNT: azure.accountName, AZURE_STORAGE_KEY: azure.accountKey };
    secrets = [S3_KEY.AWS_SECRET_ACCESS_KEY, azure.accountKey];
    await s3Client().send(new CreateBucketCommand({ Bucket: BUCKET }));
    await azureClient().createContainer(BUCKET);
    await googleClient().createBucket(BUCKET);
    const folder = stack.adopt(mkdtempSync(join(tmpdir(), 'tidemark-stores-')), (path) =>
      rmSync(path, { recursive: true }),
    );
    script = join(folder, 'demo-br.json');
    demo({ seconds: 0.5, regions: 4 });
    const credentials = Object.entries({ ...S3_KEY, ...azureKey }).map(([name, value]) => [`PROD_${name}`, value]);
    tidemark = await startTidemark({
      env: {
        all: { TIDEMARK_AMQP_NAMESPACE: NAMESPACE, TIDEMARK_MONGODB_DATABASE: NAMESPACE },
        'executor-worker': { ...Object.fromEntries(credentials), DEMO_BR_SCRIPT: script },
      },
    });
    const noEmptyParts = stack.use(await startOddStore(s3.endpoint));
    noEmptyParts.takeUp('slashInvalidName');
    const listsInVersionOne = stack.use(await startOddStore(s3.endpoint, { keysInPage: 3 }));
    listsInVersionOne.takeUp('listsInVersionOne');
    const credentialsOf = { credentials: { envPrefix: 'PROD_' } };
    const likeS3 = { type: 's3', bucket: BUCKET, prefix: 'team/a', provider: 'moto', ...credentialsOf };
    const storages = {
      s3: { ...likeS3, endpoint: s3.endpoint },
      noEmptyParts: { ...likeS3, endpoint: noEmptyParts.endpoint },
      listsInVersionOne: { ...likeS3, endpoint: listsInVersionOne.endpoint },
      azure: { type: 'azure', container: BUCKET, prefix: 'team/a', endpoint: azure.endpoint, ...credentialsOf },
      gcs: { type: 'gcs', bucket: BUCKET, prefix: 'team/a', endpoint: gcs.endpoint },
    };
    for (const [id, body] of Object.entries(storages)) {
      const answer = await tidemark.patiently('PUT', `/storages/${id}`, body);
      expect(answer.code, JSON.stringify(answer)).toBe(0);
    }
  }, 300_000);
  afterAll(async () => {
    await tidemark?.[Symbol.asyncDispose]();
    await stack.disposeAsync();
    await deleteNamespace(inject('amqpUrl'), NAMESPACE, ['default', 'nobody']);
    await using mongo = new MongoClient(inject('mongodbUrl'));
    await dropTestDatabase(mongo.db(NAMESPACE));
  });

  const demo = (fields: object) =>
    writeFileSync(script, JSON.stringify({ progressIntervalSeconds: 0.1, lockTtlSeconds: 1, ...fields }));
  const start = async (storageId: string, body: object = {}) => {
    const clusterId = `on-${storageId}-${Math.random().toString(36).slice(2, 8)}`;
    await tidemark.patiently('PUT', `/clusters/${clusterId}`, {
      pd: ['127.0.0.1:2379'],
      version: '8.5.0',
      storageId,
      ...body,
    });
    return { clusterId, id: await tidemark.start(clusterId) };
  };

  it.each(['s3', 'azure', 'gcs', ...ODD])(
    'of the kind %s is taken, verified, shown with its files, restored row for row, and deleted to the last of them',
    async (kind) => {
      const { data } = await tidemark.call<{ check: { ok: boolean; steps: object[] } }>(
        'POST',
        `/storages/${kind}/check`,
      );
      expect(data.check, JSON.stringify(data)).toMatchObject({ ok: true });
      const from = `source-${kind}:2379`;
      await tidemark.demoCluster(from).touch();
      const { id } = await start(kind, { pd: [from] });
      const record = await tidemark.untilState(id, 'Succeeded', 40);
      const mine = async () => (await keysOf(kind)).filter((key) => key.startsWith(`team/a/${record.filePath}/`));
      expect((await mine()).map((key) => key.slice(`team/a/${record.filePath}/`.length))).toEqual(
        expect.arrayContaining(['backup.lock', 'backupmeta', 'tidemark.json']),
      );
      expect(record.sizeBytes).toBeGreaterThan(0);
      if (RESTORED.includes(kind)) await comesBack(id, from, `target-${kind}:2379`);
      // A restore lets its source go a moment after it has ended.
      await vi.waitFor(async () => expect(await tidemark.call('DELETE', `/backups/${id}`)).toMatchObject({ code: 0 }));
      await vi.waitFor(async () => expect(await mine()).toEqual([]), { timeout: 20_000 });
    },
  );

  /** Restores a backup of the cluster at one PD into the one at another, which then has the same rows. */
  async function comesBack(backupId: string, from: string, to: string): Promise<void> {
    const [source, target] = [tidemark.demoCluster(from), tidemark.demoCluster(to)];
    await target.createDatabase('test');
    const wish = { backupId, targetClusterId: await tidemark.cluster('target', { pd: [to] }) };
    const plan = await tidemark.patiently<{ plan: { planHash: string } }>('POST', '/restores/plan', wish);
    const confirmed = { ...wish, planHash: plan.data.plan?.planHash, confirm: wish.targetClusterId };
    const started = await tidemark.patiently<{ restoreId: string }>('POST', '/restores', confirmed);
    expect(started.code, `${plan.message} ${started.message}`).toBe(0);
    const restored = async () =>
      (await tidemark.patiently<{ restore: { state: string } }>('GET', `/restores/${started.data.restoreId}`)).data
        .restore;
    await vi.waitFor(async () => expect(await restored()).toMatchObject({ state: 'Succeeded' }), {
      timeout: 40_000,
      interval: 100,
    });
    for (const db of ['crm', 'shop']) {
      const tables = await source.tables(db);
      expect(tables.length).toBeGreaterThan(0);
      expect(await target.tables(db)).toEqual(tables);
      for (const table of tables)
        expect(await target.readTable({ db, table })).toEqual(await source.readTable({ db, table }));
    }
  }

  it('that is canceled leaves nothing behind', async () => {
    demo({ seconds: 30, regions: 20 });
    const { id, clusterId } = await start('s3');
    const { filePath } = await tidemark.until(id, ({ progress }) => progress.percent > 5);
    await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
    await tidemark.untilState(id, 'Canceled');
    demo({ seconds: 0.5, regions: 4 });
    await vi.waitFor(async () => expect((await keys.s3?.())?.filter((key) => key.includes(filePath))).toEqual([]), {
      timeout: 20_000,
    });
  });

  it('that keeps old versions says on deletion that nothing was freed', async () => {
    await s3Client().send(new CreateBucketCommand({ Bucket: 'versioned' }));
    await s3Client().send(
      new PutBucketVersioningCommand({ Bucket: 'versioned', VersioningConfiguration: { Status: 'Enabled' } }),
    );
    await tidemark.patiently('PUT', '/storages/versioned', {
      url: `s3://versioned?endpoint=${s3.endpoint}&provider=moto`,
      credentials: { envPrefix: 'PROD_' },
    });
    const { id, clusterId } = await start('versioned');
    await tidemark.untilState(id, 'Succeeded', 40);
    await tidemark.call('DELETE', `/backups/${id}`);
    const deleted = await vi.waitFor(
      async () => {
        const { data } = await tidemark.patiently<{ backupRecords: { deletion: object }[] }>(
          'GET',
          `/backups?clusterId=${clusterId}&includeDeleted=true`,
        );
        expect(data.backupRecords[0]?.deletion).toMatchObject({ state: 'Deleted' });
        return data.backupRecords[0]?.deletion;
      },
      { timeout: 20_000 },
    );
    expect(deleted).toMatchObject({ remark: expect.stringContaining('keeps old versions') });
    expect(deleted).not.toHaveProperty('bytes');
  });

  it('whose credentials are missing on the worker fails with their names, and not without end', async () => {
    await tidemark.patiently('PUT', '/storages/nameless', {
      type: 's3',
      bucket: BUCKET,
      endpoint: s3.endpoint,
      credentials: { envPrefix: 'NOBODY_' },
    });
    const { id } = await start('nameless');
    const record = await tidemark.untilState(id, 'Failed');
    expect(record.reason).toMatchObject({
      code: 'STORAGE_UNUSABLE',
      message: expect.stringContaining('NOBODY_AWS_ACCESS_KEY_ID'),
    });
  });

  it('that cannot be reached waits for it, uncounted, and can be canceled', async () => {
    await tidemark.patiently('PUT', '/storages/away', {
      type: 's3',
      bucket: BUCKET,
      endpoint: 'http://127.0.0.1:9',
      credentials: { envPrefix: 'PROD_' },
    });
    const { id, clusterId } = await start('away');
    const record = await tidemark.until(id, ({ reason }) => reason?.code === 'STORAGE_AWAY', 40);
    expect(record.state).toBe('Queued');
    expect(record.attempts, 'nothing was begun').toEqual([]);
    expect(record.nextTryTime).toMatch(/^2\d{3}-/);
    await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
    await tidemark.untilState(id, 'Canceled');
  });

  it('shows its secrets to br alone: not in any argument, other process, log, document or message', async () => {
    demo({ seconds: 20, regions: 50 });
    const workers = tidemark.stack.processes.filter(({ kind }) => kind === 'executor-worker');
    const { id, clusterId } = await start('s3');
    await tidemark.until(id, ({ progress }) => progress.percent > 5);
    const found = processes().filter(({ environ }) => secrets.some((secret) => environ.includes(secret)));
    const workerPids = new Set(workers.map(({ pid }) => pid));
    const children = found.filter(({ pid }) => !workerPids.has(pid) && pid !== process.pid);
    // br has them, and its guard has not; the stores themselves are not Tidemark's.
    const ofBr = children.filter(({ cmdline }) => cmdline.includes(clusterId));
    expect(ofBr.length).toBeGreaterThan(0);
    expect(
      children.filter(({ cmdline }) => /services\/|gateway\//.test(cmdline) && !cmdline.includes(clusterId)),
    ).toEqual([]);
    for (const { cmdline } of processes()) for (const secret of secrets) expect(cmdline).not.toContain(secret);

    // A message that waits can be read: nobody serves this pool.
    const waiting = await start('s3', { pool: 'nobody' });
    const message = await vi.waitFor(nextMessage, { timeout: 20_000 });
    expect(message).toContain(waiting.id);
    for (const secret of secrets) expect(message).not.toContain(secret);
    await tidemark.call('POST', '/backups/cancel', { clusterId: waiting.clusterId, backupId: waiting.id });
    await tidemark.call('POST', '/backups/cancel', { clusterId, backupId: id });
    await tidemark.untilState(id, 'Canceled');

    const mongo = stack.adopt(new MongoClient(inject('mongodbUrl')), (client) => client.close());
    for (const { name } of await mongo.db(NAMESPACE).listCollections().toArray()) {
      const text = JSON.stringify(await mongo.db(NAMESPACE).collection(name).find().toArray());
      for (const secret of secrets) expect(text, name).not.toContain(secret);
    }
    for (const { logFile } of tidemark.stack.processes) {
      const text = readFileSync(logFile, 'utf8');
      for (const secret of secrets) expect(text, logFile).not.toContain(secret);
    }
  });

  /** Content and properties of the message that waits for a pool without workers. */
  async function nextMessage(): Promise<string> {
    await using broker = await connectBroker({ url: inject('amqpUrl'), connectionName: 'tap', log: QUIET });
    const seen = Promise.withResolvers<string>();
    broker.attach({
      async setup(open) {
        try {
          const channel = await open.channel('tap');
          const message = await channel.get(topology(NAMESPACE).runQueue('nobody'));
          if (!message) throw new Error('no message waits');
          seen.resolve(message.content.toString('latin1') + JSON.stringify(message.properties));
        } catch (error) {
          seen.reject(error); // the queue comes with its first message
        }
      },
      lost: () => undefined,
    });
    return await seen.promise;
  }
});

const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

interface SeenProcess {
  readonly pid: number;
  readonly cmdline: string;
  readonly environ: string;
}

/** Every process of this machine, as far as it may be looked at (Linux). */
function processes(): SeenProcess[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ');
      return [{ pid: Number(pid), cmdline: read('cmdline'), environ: read('environ') }];
    } catch {
      return []; // it has ended, or is somebody else's
    }
  });
}
