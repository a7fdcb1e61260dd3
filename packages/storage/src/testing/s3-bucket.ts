/** A bucket of an S3 store, for tests. */
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Key } from '@tidemark/local-stack/object-stores/s3';
import { BackupMeta, File } from '@tidemark/protocol/br/backup';
import { S3Location, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type BackupFiles, backupFilesIn } from '../backup-files.ts';
import { openStorage } from '../open-storage.ts';

export const ROOT = 'em/backup';
/** Some in folders, as on S3, and some beside `backupmeta`, as on other stores. */
export const SSTS = ['0/0.sst', '0/2.sst', '1/1.sst', '3.sst', '4.sst'];
/** Of a finished backup. */
export const FILE_COUNT = SSTS.length + 3;

const PREFIX = 'team';

/** A bucket, seen as a worker sees it through `endpoint`, and as a test does that goes to the store itself. */
export interface Bucket {
  readonly env: Readonly<Record<string, string>>;
  /** As the worker knows it. */
  readonly storage: Storage;
  /** Puts a file below the root. */
  put(name: string, body: string | Uint8Array): Promise<void>;
  /** Puts a finished backup, as BR and a worker leave one. */
  putBackup(path: string): Promise<void>;
  /** All that is there, relative to the root. */
  keys(): Promise<string[]>;
  open(path: string): Promise<BackupFiles>;
}

let buckets = 0;

/** Makes a bucket. */
export async function makeBucket(
  direct: string,
  endpoint: string,
  { accessKeyId, secretAccessKey }: S3Key,
): Promise<Bucket> {
  const name = `bucket-${buckets++}`;
  const config = { endpoint: direct, region: 'us-east-1', forcePathStyle: true };
  const client = new S3Client({
    ...config,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: name }));
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const storage = Storage.create({
    id: 's1',
    root: ROOT,
    location: { $case: 's3', value: S3Location.create({ bucket: name, prefix: PREFIX, endpoint }) },
  });
  const below = `${PREFIX}/${ROOT}/`;
  const put: Bucket['put'] = async (key, Body) =>
    void (await client.send(new PutObjectCommand({ Bucket: name, Key: below + key, Body })));
  return {
    env,
    storage,
    put,
    async putBackup(path) {
      const files = SSTS.map((sst) => File.create({ name: sst, size: BigInt(sst.length) }));
      const meta = BackupMeta.create({ clusterId: 7n, endVersion: 435_844_546_560_000_000n, files });
      await Promise.all([
        put(`${path}/backupmeta`, BackupMeta.encode(meta).finish()),
        put(`${path}/backup.lock`, 'DO NOT DELETE'),
        put(`${path}/tidemark.json`, path),
        ...SSTS.map((sst) => put(`${path}/${sst}`, sst)),
      ]);
    },
    async keys() {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: name }));
      return Contents.map(({ Key = '' }) => Key.slice(below.length));
    },
    open: async (path) => backupFilesIn(await openStorage(storage, env), `${ROOT}/${path}`),
  };
}
