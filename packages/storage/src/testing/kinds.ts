/** The four kinds of storages, each on a server of its own with a bucket `backups`, for tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { Storage as GcsClient } from '@google-cloud/storage';
import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import { startAzureServer } from '@tidemark/local-stack/object-stores/azure';
import { startGcsServer } from '@tidemark/local-stack/object-stores/gcs';
import type { ObjectStore } from '@tidemark/local-stack/object-stores/object-store';
import { type S3Server, startS3Server } from '@tidemark/local-stack/object-stores/s3';
import { temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import {
  AzureLocation,
  GcsLocation,
  S3Location,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import type { StorageFiles } from '../storage-files.ts';

/** The key of the S3 server; not to be found in any error. */
export const SECRET = 'never-tell-this-secret';

/** What a test changes of a storage. */
export interface Overrides {
  readonly bucket?: string;
  readonly prefix?: string;
  readonly endpoint?: string;
}

/** One kind of storage; there once it is started. */
export interface Kind {
  /** Starts its server, the first time. */
  start(): Promise<void>;
  readonly env: Env;
  storage(overrides?: Overrides): Storage;
}

/** A kind of storage, and how a test goes to its server itself. */
export interface KindWithClient<C> extends Kind {
  readonly client: C;
}

export interface Kinds extends AsyncDisposable {
  readonly local: Kind;
  readonly s3: KindWithClient<S3Client> & { readonly server: S3Server };
  readonly azure: KindWithClient<BlobServiceClient>;
  readonly gcs: KindWithClient<GcsClient>;
}

export const storageAt = (location: Storage['location']) => Storage.create({ id: 's', location });

/**
 * @param options.signal ends the installation of the servers
 * @param options.say called with what is installed
 */
export function createKinds(options: { readonly signal: AbortSignal; readonly say: (line: string) => void }): Kinds {
  const stack = new AsyncDisposableStack();
  const temporary = (path: string) => stack.adopt(path, (folder) => rmSync(folder, { recursive: true, force: true }));
  const claim = async () => stack.use(await claimDataFolder(temporary(temporaryDataFolder())));
  let data: ReturnType<typeof claim> | undefined;
  const startServer = async <T extends ObjectStore>(
    start: (options: { dataDir: string; say: (line: string) => void; signal: AbortSignal }) => Promise<T>,
  ): Promise<T> => {
    data ??= claim();
    return stack.use(await start({ ...options, dataDir: (await data).path }));
  };

  const root = lazily(async () => temporary(mkdtempSync(join(tmpdir(), 'tidemark-storage-'))));
  const local: Kind = {
    start: root.start,
    env: {},
    storage: () => storageAt({ $case: 'local', value: { path: root.get() } }),
  };

  const s3 = lazily(async () => {
    const server = await startServer(startS3Server);
    const client = new S3Client({
      endpoint: server.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'key', secretAccessKey: SECRET },
    });
    await client.send(new CreateBucketCommand({ Bucket: 'backups' }));
    return { server, client };
  });

  const azure = lazily(async () => {
    const server = await startServer(startAzureServer);
    const { endpoint, accountName, accountKey } = server;
    const client = new BlobServiceClient(endpoint, new StorageSharedKeyCredential(accountName, accountKey));
    await client.createContainer('backups');
    return { server, client };
  });

  const gcs = lazily(async () => {
    const server = await startServer(startGcsServer);
    const client = new GcsClient({ apiEndpoint: server.endpoint, projectId: 'p' });
    await client.createBucket('backups');
    return { server, client };
  });

  return {
    local,
    s3: {
      start: s3.start,
      get client() {
        return s3.get().client;
      },
      get server() {
        return s3.get().server;
      },
      env: { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: SECRET },
      storage: ({ bucket = 'backups', prefix = '/deep/er/', endpoint = s3.get().server.endpoint } = {}) =>
        storageAt({ $case: 's3', value: S3Location.create({ bucket, prefix, endpoint }) }),
    },
    azure: {
      start: azure.start,
      get client() {
        return azure.get().client;
      },
      get env() {
        const { accountKey, accountName } = azure.get().server;
        return { AZURE_STORAGE_KEY: accountKey, AZURE_STORAGE_ACCOUNT: accountName };
      },
      storage: ({ bucket = 'backups', prefix = '/deep/er/', endpoint = azure.get().server.endpoint } = {}) =>
        storageAt({ $case: 'azure', value: AzureLocation.create({ container: bucket, prefix, endpoint }) }),
    },
    gcs: {
      start: gcs.start,
      get client() {
        return gcs.get().client;
      },
      env: {},
      storage: ({ bucket = 'backups', prefix = '/deep/er/', endpoint = gcs.get().server.endpoint } = {}) =>
        storageAt({ $case: 'gcs', value: GcsLocation.create({ bucket, prefix, endpoint }) }),
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function lazily<T>(make: () => Promise<T>): { start(): Promise<void>; get(): T } {
  let made: { readonly value: T } | undefined;
  return {
    async start() {
      made ??= { value: await make() };
    },
    get() {
      if (!made) throw new Error('the server was not started');
      return made.value;
    },
  };
}

/** Writes files whose content is their name, several at a time. */
export async function fill(files: StorageFiles, names: readonly string[], signal: AbortSignal): Promise<void> {
  const waiting = names.values();
  const work = async () => {
    for (const name of waiting) await files.write(name, name, signal);
  };
  await Promise.all(Array.from({ length: 8 }, work));
}
