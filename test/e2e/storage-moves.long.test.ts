/** Credentials that are renamed and an endpoint that moves after a backup was taken, over real processes and a real store. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import { type OddStore, startOddStore } from '@tidemark/local-stack/object-stores/odd-store';
import { type S3Server, startS3Server } from '@tidemark/local-stack/object-stores/s3';
import { removeFolder, temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

interface Check {
  readonly ok: boolean;
  readonly steps: readonly { readonly name: string; readonly ok: boolean; readonly message: string }[];
}

const BUCKET = 'backups';
const stack = new AsyncDisposableStack();
let s3: S3Server;
let client: S3Client;
let tidemark: Tidemark;
beforeAll(async () => {
  const dataDir = stack.adopt(temporaryDataFolder(), removeFolder);
  stack.use(await claimDataFolder(dataDir));
  s3 = stack.use(await startS3Server({ dataDir, say: console.error, signal: AbortSignal.timeout(300_000) }));
  const key = await s3.makeKey();
  client = stack.adopt(
    new S3Client({ endpoint: s3.endpoint, region: 'us-east-1', forcePathStyle: true, credentials: key }),
    (open) => open.destroy(),
  );
  for (const Bucket of [BUCKET, 'empty']) await client.send(new CreateBucketCommand({ Bucket }));
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), 'tidemark-moves-')), (path) =>
    rmSync(path, { recursive: true }),
  );
  const script = join(folder, 'demo-br.json');
  writeFileSync(script, JSON.stringify({ seconds: 0.5, regions: 4, progressIntervalSeconds: 0.1, lockTtlSeconds: 1 }));
  tidemark = stack.use(
    await startTidemark({
      copies: { 'executor-worker': 2 },
      env: {
        'executor-worker': {
          DEMO_BR_SCRIPT: script,
          // The store takes any key until it is told to check them; then it takes the new one alone.
          OLD_AWS_ACCESS_KEY_ID: 'revoked',
          OLD_AWS_SECRET_ACCESS_KEY: 'revoked-secret',
          NEW_AWS_ACCESS_KEY_ID: key.accessKeyId,
          NEW_AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
        },
      },
    }),
  );
}, 300_000);
afterAll(() => stack.disposeAsync());

/** Calls until a machine that is busy with other tests has room. */
const call: Tidemark['call'] = (...request) =>
  vi.waitFor(
    async () => {
      const answer = await tidemark.call<never>(...request);
      expect(answer.status, answer.message).not.toBe(503);
      return answer;
    },
    { timeout: 30_000, interval: 500 },
  );
const put = async (id: string, fields: object) => {
  const answer = await call('PUT', `/storages/${id}`, {
    ...{ type: 's3', bucket: BUCKET, prefix: id, provider: 'moto', endpoint: s3.endpoint },
    ...{ credentials: { envPrefix: 'OLD_' } },
    ...fields,
  });
  expect(answer.code, answer.message).toBe(0);
};
const good = async (storageId: string) => {
  const id = await tidemark.start(await tidemark.cluster(storageId, { storageId }));
  await tidemark.until(id, ({ status }) => status === 'Finished', 60);
  return id;
};
const keys = async () => {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  return Contents.map(({ Key = '' }) => Key);
};
/** Waits until a backup is deleted, with its files. */
const untilDeleted = async (id: string) => {
  const { filePath } = await tidemark.until(id, ({ deletion }) => deletion.state === 'Deleted', 30);
  expect((await keys()).filter((key) => key.includes(filePath))).toEqual([]);
};
const untilDeleteFailed = (id: string, why: string) =>
  tidemark.until(id, ({ deletion }) => deletion.state === 'DeleteFailed' && !!deletion.error?.includes(why), 60);
const sayMoved = async (storageId: string) => {
  const answer = await call<{ check: Check }>('POST', `/storages/${storageId}/check`, { moved: true });
  expect(answer.code, answer.message).toBe(0);
  return answer.data.check;
};

it('deletes older backups after their credentials were renamed: one by itself, one that is asked for again', async () => {
  await put('renamed', {});
  const [failing, asked] = [await good('renamed'), await good('renamed')];
  await s3.checkKeys(true);
  try {
    await call('DELETE', `/backups/${failing}`);
    await call('DELETE', `/backups/${asked}`);
    for (const id of [failing, asked]) await untilDeleteFailed(id, 'could not be removed');
    await put('renamed', { credentials: { envPrefix: 'NEW_' } });
    await call('DELETE', `/backups/${asked}`);
    for (const id of [failing, asked]) await untilDeleted(id);
  } finally {
    await s3.checkKeys(false);
  }
});

it('deletes older backups after the endpoint of their storage moved, once an admin says so and the marker is found there', async () => {
  const before: OddStore = await startOddStore(s3.endpoint);
  await put('moved', { endpoint: before.endpoint });
  const id = await good('moved');
  await before[Symbol.asyncDispose]();
  await call('DELETE', `/backups/${id}`);
  await put('moved', { bucket: 'empty' });
  await untilDeleteFailed(id, 'POST /storages/moved/check and {"moved": true}');

  const refused = await sayMoved('moved');
  expect(refused.ok).toBe(false);
  expect(refused.steps.at(-1)).toMatchObject({
    name: 'moved',
    ok: false,
    message: expect.stringContaining(`Nothing shows that what was in s3://backups/moved at ${before.endpoint}`),
  });
  await put('moved', {});
  const proven = await sayMoved('moved');
  expect(proven, JSON.stringify(proven)).toMatchObject({ ok: true });
  expect(proven.steps.find(({ name }) => name === 'moved')?.message).toContain(
    '(1 backups below nfs/em/backup) is here',
  );
  await untilDeleted(id);
  const both = await call('POST', '/storages/moved/check?adopt=true', { moved: true });
  expect(both).toMatchObject({ status: 400, code: 10001, message: expect.stringContaining('moved') });
});
