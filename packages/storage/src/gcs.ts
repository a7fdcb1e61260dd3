/**
 * Files in a bucket of Google Cloud Storage.
 *
 * The vendor's library takes no signals, so a request that is given up may still reach its end behind our back;
 * all of them can be repeated.
 */
import { Readable } from 'node:stream';
import {
  ApiError,
  type BucketMetadata,
  type File,
  IdempotencyStrategy,
  type PredefinedAcl,
  Storage,
  type StorageOptions,
} from '@google-cloud/storage';
import { MAX_SECRET_FILE_BYTES } from '@tidemark/limits/limits';
import type { GcsLocation } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { collect, handOver, readWithin } from './bounded-read.ts';
import type { Credentials } from './credentials.ts';
import { SMALL_FILE_LIMIT } from './read-limit.ts';
import { askAside, createRequests, namedFolders, prefixOf, readListed, removeEach, watchPages } from './requests.ts';
import { mustBe, useFile } from './secret-file.ts';
import type { StorageFiles } from './storage-files.ts';

const PAGE = 1_000;
const TRIES = 3;
/** A key file is small: it is there within this, or its server is away. */
const READ_KEY_MS = 10_000;

type Key = NonNullable<StorageOptions['credentials']>;

/** Of the answer to a listing, as Google sends it. */
interface Page {
  readonly items?: readonly { readonly name: string; readonly size?: string; readonly updated?: string }[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

/**
 * Opens a bucket; whether it is there shows with the first request.
 *
 * @throws AppError `storage_unusable` when the file with the credentials cannot be read, is too large or damaged
 */
export async function openGcsFiles(
  location: GcsLocation,
  credentials: Credentials,
  answerMs: number,
): Promise<StorageFiles> {
  const { bucket: name } = location;
  const bucket = (await createClient(location, credentials, answerMs)).bucket(name);
  const base = prefixOf(location.prefix);
  const title = `the bucket ${name}`;
  const request = createRequests({
    title,
    answerMs,
    secrets: [],
    explain: (error) => explain(error, name),
  });

  const pages = async function* (prefix: string, delimiter: string | undefined, signal: AbortSignal) {
    const advance = watchPages(title);
    let pageToken: string | undefined;
    for (;;) {
      const query = { prefix, delimiter, pageToken, maxResults: PAGE, autoPaginate: false };
      const [, , page] = (await request(signal, () => bucket.getFiles(query))) as [unknown, unknown, Page];
      yield page;
      const next = page.nextPageToken;
      if (!next) return;
      advance({ sent: pageToken, next, lastFile: page.items?.at(-1)?.name, lastFolder: page.prefixes?.at(-1) });
      pageToken = next;
    }
  };
  const entries = async function* (folder: string, signal: AbortSignal) {
    const prefix = base + (folder === '' ? '' : `${folder}/`);
    for await (const { items = [], prefixes = [] } of pages(prefix, '/', signal)) {
      for (const inner of prefixes) yield { name: inner.slice(prefix.length, -1), folder: true, bytes: 0 };
      for (const { name, size, updated } of items) {
        const modified = updated === undefined ? undefined : new Date(updated);
        yield { name: name.slice(prefix.length), folder: false, bytes: Number(size ?? 0), modified };
      }
    }
  };
  const find: StorageFiles['find'] = async (file, signal) => {
    for await (const { items = [] } of pages(base + file, undefined, signal))
      for (const { name, size } of items) if (name === base + file) return { name: file, bytes: Number(size ?? 0) };
    return undefined;
  };
  /** Asks for an object's content; undefined where there is none. */
  const get = <T>(
    file: string,
    signal: AbortSignal,
    use: (content: Readable, abortSignal: AbortSignal, alive: () => void) => Promise<T>,
  ) =>
    request(signal, async (abortSignal, alive) => {
      try {
        return await use(contentOf(bucket.file(base + file)), abortSignal, alive);
      } catch (error) {
        // The absence of the bucket has the same status.
        const noBucket = error instanceof Error && /bucket does not exist/i.test(error.message);
        if (statusOf(error) !== 404 || noBucket) throw error;
        return undefined;
      }
    });

  return {
    async *list(folder, signal) {
      const prefix = `${base}${folder}/`;
      for await (const { items = [] } of pages(prefix, undefined, signal))
        for (const { name, size } of items) yield { name: name.slice(prefix.length), bytes: Number(size ?? 0) };
    },
    folders: (folder, signal) => namedFolders(entries(folder, signal)),
    entries,
    find,
    read(name, signal, limit = SMALL_FILE_LIMIT) {
      return readListed(
        { title, name, signal },
        () =>
          readWithin(name, limit, signal, (ending) =>
            get(name, ending, (content, abortSignal, alive) => collect(content, { name, limit }, abortSignal, alive)),
          ),
        () => find(name, signal),
      );
    },
    async stream(name, signal, take) {
      const readOnce = () =>
        get(name, signal, (content, abortSignal, alive) => handOver(content, take, abortSignal, alive));
      return (await readListed({ title, name, signal }, readOnce, () => find(name, signal))) ?? false;
    },
    async write(file, content, signal, { asBackup = false } = {}) {
      const predefinedAcl = (location.predefinedAcl || undefined) as PredefinedAcl | undefined;
      const metadata = asBackup && location.storageClass ? { storageClass: location.storageClass } : {};
      await request(signal, () =>
        bucket.file(base + file).save(content, { resumable: false, predefinedAcl, metadata }),
      );
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
    finishRemoval: async () => '',
    async traits(signal) {
      const metadata = await askAside(signal, () => request(signal, async () => (await bucket.getMetadata())[0]));
      return { ...describeVersions(metadata, name), lock: describeLock(metadata, name) };
    },
  };
}

/**
 * The library throws where nobody can catch it when its stream is destroyed before the store has answered: this one, when
 * it is destroyed, waits with that until then.
 */
const contentOf = (file: File) => Readable.from(file.createReadStream(), { objectMode: false });

async function createClient(location: GcsLocation, credentials: Credentials, answerMs: number): Promise<Storage> {
  const { GOOGLE_APPLICATION_CREDENTIALS: keyFilename } = credentials;
  const key = keyFilename && (await readKey(keyFilename));
  const { endpoint } = location;
  return new Storage({
    // Asked for by the library, and of no use for what a bucket holds.
    projectId: 'tidemark',
    ...(key && { credentials: key }),
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

/** The library would read any file whole, and tell what it holds when it is damaged. */
function readKey(file: string): Promise<Key> {
  const rules = { folder: undefined, maxBytes: MAX_SECRET_FILE_BYTES, readers: 'anybody' as const };
  const must = `${mustBe(rules)} and holds Google’s credentials as JSON`;
  return useFile(file, { ...rules, must }, AbortSignal.timeout(READ_KEY_MS), toKey);
}

function toKey(content: Buffer): Key | undefined {
  try {
    const key: unknown = JSON.parse(content.toString('utf8'));
    return typeof key === 'object' && key !== null ? (key as Key) : undefined;
  } catch {
    return undefined; // its message would have a piece of the key
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
    const unknown = `Whether the bucket ${bucket} keeps deleted objects or locks objects could not be asked; allow storage.buckets.get.`;
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
