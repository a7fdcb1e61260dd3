/**
 * Files in a bucket of Google Cloud Storage.
 *
 * The vendor's library takes no signals, so a request that is given up may still reach its end behind our back;
 * all of them can be repeated.
 */
import { readFile } from 'node:fs/promises';
import { ApiError, type BucketMetadata, IdempotencyStrategy, type PredefinedAcl, Storage } from '@google-cloud/storage';
import { AppError } from '@tidemark/errors/app-error';
import type { GcsLocation } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Credentials } from './credentials.ts';
import { collect, createRequests, prefixOf, removeEach } from './requests.ts';
import type { StorageFiles } from './storage-files.ts';

const PAGE = 1_000;
const TRIES = 3;

/** Of the answer to a listing, as Google sends it. */
interface Page {
  readonly items?: readonly { readonly name: string; readonly size?: string }[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

/**
 * Opens a bucket; whether it is there shows with the first request.
 *
 * @throws AppError `storage_unusable` when the file with the credentials cannot be read or is damaged
 */
export async function openGcsFiles(
  location: GcsLocation,
  credentials: Credentials,
  answerMs: number,
): Promise<StorageFiles> {
  const { bucket: name } = location;
  const bucket = (await createClient(location, credentials, answerMs)).bucket(name);
  const base = prefixOf(location.prefix);
  const request = createRequests({
    title: `the bucket ${name}`,
    answerMs,
    secrets: [],
    explain: (error) => explain(error, name),
  });

  const pages = async function* (prefix: string, delimiter: string | undefined, signal: AbortSignal) {
    let pageToken: string | undefined;
    do {
      const query = { prefix, delimiter, pageToken, maxResults: PAGE, autoPaginate: false };
      const [, , page] = (await request(signal, () => bucket.getFiles(query))) as [unknown, unknown, Page];
      yield page;
      pageToken = page.nextPageToken || undefined;
    } while (pageToken !== undefined);
  };

  return {
    async *list(folder, signal) {
      const prefix = `${base}${folder}/`;
      for await (const { items = [] } of pages(prefix, undefined, signal))
        for (const { name, size } of items) yield { name: name.slice(prefix.length), bytes: Number(size ?? 0) };
    },
    async *folders(folder, signal) {
      const prefix = base + (folder === '' ? '' : `${folder}/`);
      for await (const { prefixes = [] } of pages(prefix, '/', signal)) {
        for (const inner of prefixes) {
          const name = inner.slice(prefix.length, -1);
          if (name !== '') yield name;
        }
      }
    },
    read: (file, signal) =>
      request(signal, async (abortSignal, alive) => {
        try {
          return await collect(bucket.file(base + file).createReadStream(), abortSignal, alive);
        } catch (error) {
          // The absence of the bucket has the same status.
          const noBucket = error instanceof Error && /bucket does not exist/i.test(error.message);
          if (statusOf(error) === 404 && !noBucket) return undefined;
          throw error;
        }
      }),
    async write(file, content, signal) {
      const predefinedAcl = (location.predefinedAcl || undefined) as PredefinedAcl | undefined;
      await request(signal, () => bucket.file(base + file).save(content, { resumable: false, predefinedAcl }));
    },
    remove: (names, signal) =>
      removeEach(names, (file) =>
        request(signal, async () => {
          try {
            await bucket.file(base + file).delete({ ignoreNotFound: true });
          } catch (error) {
            if (statusOf(error) !== 403 && statusOf(error) !== 412) throw error;
            return (error as Error).message;
          }
          return undefined;
        }),
      ),
    // Uploads that were never finished go by themselves after a week.
    finishRemoval: async () => undefined,
    async traits(signal) {
      const metadata = await request(signal, async () => {
        try {
          const [metadata] = await bucket.getMetadata();
          return metadata;
        } catch (error) {
          if (statusOf(error) === 403) return undefined;
          throw error;
        }
      });
      return { ...describeVersions(metadata, name), lock: describeLock(metadata, name) };
    },
  };
}

async function createClient(location: GcsLocation, credentials: Credentials, answerMs: number): Promise<Storage> {
  const { GOOGLE_APPLICATION_CREDENTIALS: keyFilename } = credentials;
  if (keyFilename !== undefined) await refuseBadKeyFile(keyFilename);
  const { endpoint } = location;
  return new Storage({
    // Asked for by the library, and of no use for what a bucket holds.
    projectId: 'tidemark',
    ...(keyFilename && { keyFilename }),
    // A token is never sent in clear.
    ...(endpoint && { apiEndpoint: endpoint, useAuthWithCustomEndpoint: endpoint.startsWith('https:') }),
    timeout: answerMs,
    retryOptions: {
      maxRetries: TRIES - 1,
      totalTimeout: answerMs / 1000,
      idempotencyStrategy: IdempotencyStrategy.RetryAlways,
    },
  });
}

/** The library would tell what the file holds when it is damaged. */
async function refuseBadKeyFile(file: string): Promise<void> {
  const refuse = (why: string) =>
    new AppError('storage_unusable', `The file ${file} with Google’s credentials ${why} on this worker.`);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw refuse(`cannot be read (${error.code})`);
  });
  try {
    JSON.parse(text);
  } catch {
    throw refuse('is damaged');
  }
}

function explain(error: unknown, bucket: string): string | undefined {
  const status = statusOf(error);
  const text = error instanceof Error ? error.message : '';
  if (status === 404) return `The bucket ${bucket} is not there: make it, or correct the storage.`;
  if (text.includes('default credentials'))
    return `This worker has no credentials for the bucket ${bucket}: give it an identity, or name their source in the storage.`;
  if (status === 401 || text.includes('invalid_grant') || text.includes('invalid_client'))
    return `Google refuses the credentials for the bucket ${bucket}: correct them where the storage says that they are.`;
  if (status === 403)
    return `Access to the bucket ${bucket} is denied: allow it storage.objects.list, get, create and delete.`;
  return undefined;
}

function describeVersions(metadata: BucketMetadata | undefined, bucket: string) {
  if (metadata === undefined) {
    const unknown = `Whether the bucket ${bucket} keeps deleted objects could not be asked; allow storage.buckets.get.`;
    return { keepsOldVersions: false, versions: unknown };
  }
  if (metadata.versioning?.enabled) {
    const versions = `The bucket ${bucket} keeps old versions of deleted objects, which still take space until a rule of the bucket removes them.`;
    return { keepsOldVersions: true, versions };
  }
  const days = daysOf(metadata.softDeletePolicy?.retentionDurationSeconds);
  if (days === 0) return { keepsOldVersions: false, versions: '' };
  const versions = `The bucket ${bucket} keeps deleted objects for ${days} days (soft delete), which take space until then.`;
  return { keepsOldVersions: true, versions };
}

function describeLock(metadata: BucketMetadata | undefined, bucket: string): string {
  const days = daysOf(metadata?.retentionPolicy?.retentionPeriod);
  if (days > 0) {
    const locked = metadata?.retentionPolicy?.isLocked ? ', for good' : '';
    return `The bucket ${bucket} has a retention policy${locked}: objects cannot be deleted before they are ${days} days old.`;
  }
  if (metadata?.defaultEventBasedHold) return `The bucket ${bucket} holds every new object until its hold is released.`;
  if (metadata?.objectRetention?.mode === 'Enabled')
    return `The bucket ${bucket} allows retention: objects can be locked one by one.`;
  return '';
}

const daysOf = (seconds: number | string | undefined) => Math.round(Number(seconds ?? 0) / 8640) / 10;

function statusOf(error: unknown): number | undefined {
  return error instanceof ApiError ? error.code : undefined;
}
