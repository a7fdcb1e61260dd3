/** What is wrong with one worker alone, in a whole stack: it has no keys for a storage that the others have them for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import { startS3Server } from '@tidemark/local-stack/object-stores/s3';
import { removeFolder, temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const BUCKET = 'backups';
const KEYLESS = 'executor-worker-3';
const stack = new AsyncDisposableStack();
let tidemark: Tidemark;
beforeAll(async () => {
  const dataDir = stack.adopt(temporaryDataFolder(), removeFolder);
  stack.use(await claimDataFolder(dataDir));
  const s3 = stack.use(
    await startS3Server({
      dataDir,
      say: console.error,
      signal: AbortSignal.timeout(300_000),
      onCrash: () => undefined,
    }),
  );
  const { accessKeyId, secretAccessKey } = await s3.makeKey();
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), 'tidemark-keys-')), (path) =>
    rmSync(path, { recursive: true }),
  );
  const script = join(folder, 'demo-br.json');
  writeFileSync(script, JSON.stringify({ seconds: 0.5, regions: 4, progressIntervalSeconds: 0.1, lockTtlSeconds: 1 }));
  const keys = { PROD_AWS_ACCESS_KEY_ID: accessKeyId, PROD_AWS_SECRET_ACCESS_KEY: secretAccessKey };
  tidemark = stack.use(
    await startTidemark({
      copies: { 'executor-worker': 3 },
      env: { 'executor-worker': { DEMO_BR_SCRIPT: script } },
      envOfCopy: { 'executor-worker-1': keys, 'executor-worker-2': keys },
    }),
  );
  const answer = await tidemark.call('PUT', '/storages/prod', {
    type: 's3',
    bucket: BUCKET,
    provider: 'moto',
    endpoint: s3.endpoint,
    credentials: { envPrefix: 'PROD_' },
  });
  expect(answer.code, JSON.stringify(answer)).toBe(0);
}, 300_000);
afterAll(() => stack.disposeAsync());

it('fails none of the backups of eight clusters, which the others take, and says so itself', async () => {
  const clusters = await Promise.all(
    Array.from({ length: 8 }, () => tidemark.cluster('keyless', { storageId: 'prod' })),
  );
  const ids = await Promise.all(clusters.map((clusterId) => tidemark.start(clusterId)));
  for (const id of ids) {
    const { attempts } = await tidemark.until(id, ({ status }) => status === 'Finished', 60);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['succeeded']);
    expect(attempts[0]?.worker).not.toBe(KEYLESS);
  }
  const keyless = tidemark.stack.processes.find(({ name }) => name === KEYLESS);
  const readiness = await vi.waitFor(async () => {
    const response = await fetch(`http://${keyless?.operations}/readyz`);
    expect(response.status).toBe(200);
    return (await response.json()) as { remarks?: { storages?: string } };
  });
  expect(readiness.remarks?.storages).toContain('prod');
});
