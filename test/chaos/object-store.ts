/** A bucket whose store has habits: a real S3 server behind a proxy that takes them up and drops them again. */
import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import type { LocalServerOptions } from '@tidemark/local-stack/local-server';
import type { HabitName } from '@tidemark/local-stack/object-stores/habits';
import { startOddStore } from '@tidemark/local-stack/object-stores/odd-store';
import { startS3Server } from '@tidemark/local-stack/object-stores/s3';
import type { StoredContent } from './evidence.ts';

export interface ChaosObjectStore extends AsyncDisposable {
  /** What `PUT /storages/{id}` is sent. */
  readonly registration: object;
  /** What names it in the command line of a `br`. */
  readonly mark: string;
  /** The keys, as variables of a worker. */
  readonly keys: Readonly<Record<string, string>>;
  takeUp(habit: HabitName): void;
  /** What is there now, past the proxy. */
  content(): Promise<StoredContent>;
}

const KEYS_PREFIX = 'ODD_';

export async function openChaosObjectStore(options: LocalServerOptions): Promise<ChaosObjectStore> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startS3Server(options));
  const odd = opened.use(await startOddStore(server.endpoint, { keysInPage: 100 }));
  const bucket = `chaos-${randomBytes(4).toString('hex')}`;
  const [accessKeyId, secretAccessKey] = ['chaos', randomBytes(20).toString('hex')];
  const client = opened.adopt(
    new S3Client({
      endpoint: server.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    }),
    (open) => open.destroy(),
  );
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const resources = opened.move();
  return {
    registration: {
      type: 's3',
      bucket,
      endpoint: odd.endpoint,
      region: 'us-east-1',
      provider: 'other',
      credentials: { envPrefix: KEYS_PREFIX },
    },
    mark: `s3://${bucket}/`,
    keys: {
      [`${KEYS_PREFIX}AWS_ACCESS_KEY_ID`]: accessKeyId,
      [`${KEYS_PREFIX}AWS_SECRET_ACCESS_KEY`]: secretAccessKey,
    },
    takeUp: (habit) => odd.takeUp(habit),
    async content() {
      const files: { path: string; bytes: number }[] = [];
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket }))
        for (const { Key = '', Size = 0 } of Contents) files.push({ path: Key, bytes: Size });
      const read = async (Key: string) => {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
        return Buffer.from((await Body?.transformToByteArray()) ?? []);
      };
      return { files, read };
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
