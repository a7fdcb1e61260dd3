/**
 * Files in a bucket of Amazon S3, or of a store that speaks like it, each with habits of its own (docs/storages.md).
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  GetObjectLockConfigurationCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandInput,
  type ListMultipartUploadsCommandOutput,
  ListObjectsCommand,
  type ListObjectsCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type ObjectCannedACL,
  PutObjectCommand,
  type ServerSideEncryption,
  type StorageClass,
} from '@aws-sdk/client-s3';
import type { S3Location } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import { type Content, collect, handOver, readWithin } from './bounded-read.ts';
import { type Credentials, secretsOf } from './credentials.ts';
import { SMALL_FILE_LIMIT } from './read-limit.ts';
import {
  askAside,
  cannotBeListed,
  createRequests,
  namedFolders,
  prefixOf,
  readListed,
  removeEach,
  watchPages,
} from './requests.ts';
import { createS3Client } from './s3-client.ts';
import { codeOf, explain, isAbsent, isRefused, statusOf } from './s3-errors.ts';
import type { RemovalFailure, StorageFiles } from './storage-files.ts';

const KEYS_AT_ONCE = 1_000;

/** For how long a bucket that takes no deletion of many keys is not asked for one again. */
const NO_BULK_MS = 3_600_000;
/** Buckets that take none, by endpoint and name, and until when that is believed. */
const withoutBulk = new Map<string, number>();

/** Errors that belong to one key, where keys are deleted one by one. */
const OF_ONE_KEY = [403, 409, 412];

/** Opens a bucket; whether it is there shows with the first request. */
export async function openS3Files(
  location: S3Location,
  credentials: Credentials,
  answerMs: number,
  env: Env,
): Promise<StorageFiles> {
  const { bucket } = location;
  const client = createS3Client(location, credentials, answerMs, env);
  const base = prefixOf(location.prefix);
  const title = `the bucket ${bucket}`;
  const request = createRequests({
    title,
    answerMs,
    secrets: secretsOf(credentials),
    explain: (error) => explain(error, location),
  });
  /** Where old versions are kept, each deletion says so; undefined before the first one. */
  let madeDeleteMarkers: boolean | undefined;

  const pages = async function* (prefix: string, delimiter: string | undefined, signal: AbortSignal) {
    const advance = watchPages(title);
    const input = { Bucket: bucket, Prefix: prefix, Delimiter: delimiter };
    let from: NextPage | undefined;
    for (;;) {
      const page = await request<ListedPage>(signal, (abortSignal) =>
        from?.version === 1
          ? client.send(new ListObjectsCommand({ ...input, Marker: from.next }), { abortSignal })
          : client.send(new ListObjectsV2Command({ ...input, ContinuationToken: from?.next }), { abortSignal }),
      );
      yield page;
      const next = nextPage(page, title);
      if (next === undefined) return;
      const lastFile = page.Contents?.at(-1)?.Key;
      advance({ sent: from?.next, next: next.next, lastFile, lastFolder: page.CommonPrefixes?.at(-1)?.Prefix });
      from = next;
    }
  };
  const entries = async function* (folder: string, signal: AbortSignal) {
    const prefix = base + (folder === '' ? '' : `${folder}/`);
    for await (const { CommonPrefixes = [], Contents = [] } of pages(prefix, '/', signal)) {
      for (const { Prefix = '' } of CommonPrefixes)
        yield { name: Prefix.slice(prefix.length, -1), folder: true, bytes: 0 };
      for (const { Key = '', Size: bytes = 0, LastModified: modified } of Contents)
        yield { name: Key.slice(prefix.length), folder: false, bytes, modified };
    }
  };
  const find: StorageFiles['find'] = async (name, signal) => {
    for await (const { Contents = [] } of pages(base + name, undefined, signal))
      for (const { Key, Size = 0 } of Contents) if (Key === base + name) return { name, bytes: Size };
    return undefined;
  };

  /** Asks for a key's content; undefined where there is none. */
  const get = <T>(
    name: string,
    signal: AbortSignal,
    use: (answer: Content, abortSignal: AbortSignal, alive: () => void) => Promise<T>,
  ) =>
    request(signal, async (abortSignal, alive) => {
      let answer: GetObjectCommandOutput;
      try {
        answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: base + name }), { abortSignal });
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
      const { Body, ContentLength: announced = 0 } = answer;
      return use({ content: Body as Readable, announced }, abortSignal, alive);
    });

  /** Deletes one key; says why it is still there where that is the key's own trouble, unless any trouble is thrown. */
  const removeOne = (name: string, signal: AbortSignal, throwing: boolean) =>
    request(signal, async (abortSignal) => {
      try {
        const input = { Bucket: bucket, Key: base + name };
        const { DeleteMarker = false } = await client.send(new DeleteObjectCommand(input), { abortSignal });
        madeDeleteMarkers ||= DeleteMarker;
      } catch (error) {
        if (isAbsent(error)) return undefined;
        if (throwing || !OF_ONE_KEY.includes(statusOf(error) ?? 0)) throw error;
        return `${codeOf(error)}: ${(error as Error).message}`;
      }
      return undefined;
    });
  /** Deletes up to a thousand keys by one request; undefined where the store does not take it. */
  const removeMany = async (names: readonly string[], signal: AbortSignal) => {
    const Objects = names.map((name) => ({ Key: base + name }));
    const answer = await request(signal, (abortSignal) =>
      client
        .send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }), { abortSignal })
        .catch((error: unknown) => {
          if (isRefused(error)) return undefined;
          throw error;
        }),
    );
    if (answer === undefined) return undefined;
    const { Deleted = [], Errors = [] } = answer;
    if (Deleted.length > 0) madeDeleteMarkers ||= Deleted.some(({ DeleteMarker }) => DeleteMarker);
    return Errors.filter(({ Code }) => Code !== 'NoSuchKey').map(({ Key = '', Code = '', Message = '' }) => ({
      name: Key.slice(base.length),
      why: `${Code}: ${Message}`,
    }));
  };
  const place = `${location.endpoint}|${bucket}`;
  const removeBatch = async (names: readonly string[], signal: AbortSignal): Promise<readonly RemovalFailure[]> => {
    const oneByOne = (left: readonly string[]) => removeEach(left, (name) => removeOne(name, signal, false));
    if (performance.now() < (withoutBulk.get(place) ?? 0)) return oneByOne(names);
    const failures = await removeMany(names, signal);
    if (failures !== undefined) return failures;
    const [first = '', ...others] = names;
    // Where that is refused as well, it was not for the number of keys.
    await removeOne(first, signal, true);
    withoutBulk.set(place, performance.now() + NO_BULK_MS);
    return oneByOne(others);
  };

  const endUploads = async (prefix: string, signal: AbortSignal): Promise<string> => {
    const input = { Bucket: bucket, Prefix: prefix };
    const advance = watchPages(title);
    let from: UploadPage = {};
    for (;;) {
      const page: ListMultipartUploadsCommandInput = { ...input, ...from };
      const found: ListMultipartUploadsCommandOutput = await request(signal, (abortSignal) =>
        client.send(new ListMultipartUploadsCommand(page), { abortSignal }),
      );
      for (const { Key, UploadId } of found.Uploads ?? []) {
        const upload = { Bucket: bucket, Key, UploadId };
        await request(signal, (abortSignal) => client.send(new AbortMultipartUploadCommand(upload), { abortSignal }));
      }
      if (!found.IsTruncated) return '';
      const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = found;
      const lastFile = JSON.stringify([KeyMarker, UploadIdMarker]);
      advance({ sent: JSON.stringify(Object.values(from)), next: lastFile, lastFile });
      from = { KeyMarker, UploadIdMarker };
    }
  };

  return {
    async *list(folder, signal) {
      const prefix = `${base}${folder}/`;
      for await (const { Contents = [] } of pages(prefix, undefined, signal))
        for (const { Key = '', Size = 0 } of Contents) yield { name: Key.slice(prefix.length), bytes: Size };
    },
    folders: (folder, signal) => namedFolders(entries(folder, signal)),
    entries,
    find,
    read(name, signal, limit = SMALL_FILE_LIMIT) {
      return readListed(
        { title, name, signal },
        () =>
          readWithin(name, limit, signal, (ending) =>
            get(name, ending, ({ content, announced }, abortSignal, alive) =>
              collect(content, { name, limit, announced }, abortSignal, alive),
            ),
          ),
        () => find(name, signal),
      );
    },
    async stream(name, signal, take) {
      const readOnce = () =>
        get(name, signal, ({ content }, abortSignal, alive) => handOver(content, take, abortSignal, alive));
      return (await readListed({ title, name, signal }, readOnce, () => find(name, signal))) ?? false;
    },
    async write(name, content, signal, { asBackup = false } = {}) {
      const input = {
        Bucket: bucket,
        Key: base + name,
        Body: content,
        // Buckets with object lock want it.
        ContentMD5: createHash('md5').update(content).digest('base64'),
        ...(location.sse && { ServerSideEncryption: location.sse as ServerSideEncryption }),
        ...(location.sseKmsKeyId && { SSEKMSKeyId: location.sseKmsKeyId }),
        ...(location.acl && { ACL: location.acl as ObjectCannedACL }),
        ...(asBackup && location.storageClass && { StorageClass: location.storageClass as StorageClass }),
      };
      await request(signal, (abortSignal) => client.send(new PutObjectCommand(input), { abortSignal }));
    },
    async remove(names, signal) {
      const failures: RemovalFailure[] = [];
      for (let from = 0; from < names.length; from += KEYS_AT_ONCE)
        failures.push(...(await removeBatch(names.slice(from, from + KEYS_AT_ONCE), signal)));
      return failures;
    },
    async finishRemoval(folder, signal) {
      const ended = await askAside(signal, () => endUploads(`${base}${folder}/`, signal));
      return (
        ended ??
        `Whether ${title} holds uploads that were never finished could not be asked, or they could not be ended; a rule of the bucket must do it.`
      );
    },
    async traits(signal) {
      const Bucket = bucket;
      const versioning = await askAside(signal, () =>
        request(signal, (abortSignal) => client.send(new GetBucketVersioningCommand({ Bucket }), { abortSignal })),
      );
      const lock = await askAside(signal, () =>
        request(signal, (abortSignal) =>
          client.send(new GetObjectLockConfigurationCommand({ Bucket }), { abortSignal }).catch((error: unknown) => {
            if (codeOf(error) === 'ObjectLockConfigurationNotFoundError') return {};
            throw error;
          }),
        ),
      );
      return { ...describeVersions(versioning, madeDeleteMarkers, bucket), lock: describeLock(lock, bucket) };
    },
  };
}

type UploadPage = Pick<ListMultipartUploadsCommandInput, 'KeyMarker' | 'UploadIdMarker'>;
type ListedPage = ListObjectsV2CommandOutput | ListObjectsCommandOutput;

/** How a list goes on: by a token (version 2), or after a key (version 1). */
interface NextPage {
  readonly version: 1 | 2;
  readonly next: string;
}

/**
 * Where a page says that the list goes on. Stores answer in version 1 to a question in version 2: without a token, and
 * outside of folders without a marker either, so that the last name is the marker.
 *
 * @throws AppError `storage_unusable` for a page that says that there is more, and not where
 */
function nextPage(page: ListedPage, title: string): NextPage | undefined {
  if ('NextContinuationToken' in page && page.NextContinuationToken)
    return { version: 2, next: page.NextContinuationToken };
  if (!page.IsTruncated) return undefined;
  const names = [page.Contents?.at(-1)?.Key ?? '', page.CommonPrefixes?.at(-1)?.Prefix ?? ''];
  const [last = ''] = names.toSorted((a, b) => Buffer.compare(Buffer.from(b), Buffer.from(a)));
  const next = ('NextMarker' in page && page.NextMarker) || last;
  if (next === '') throw cannotBeListed(title, 'it answers that there is more, but not how to go on');
  return { version: 1, next };
}

function describeVersions(
  versioning: { Status?: string } | undefined,
  madeDeleteMarkers: boolean | undefined,
  bucket: string,
) {
  const kept = `The bucket ${bucket} keeps old versions of deleted files, which still take space until a rule of the bucket removes them.`;
  if (versioning?.Status !== undefined || madeDeleteMarkers) return { keepsOldVersions: true, versions: kept };
  const unknown = `Whether the bucket ${bucket} keeps old versions could not be asked: the store does not tell, or s3:GetBucketVersioning is not allowed.`;
  const known = versioning !== undefined || madeDeleteMarkers !== undefined;
  return { keepsOldVersions: false, versions: known ? '' : unknown };
}

function describeLock(
  lock:
    | { ObjectLockConfiguration?: { Rule?: { DefaultRetention?: { Mode?: string; Days?: number; Years?: number } } } }
    | undefined,
  bucket: string,
): string {
  if (lock === undefined)
    return `Whether the bucket ${bucket} locks objects could not be asked: the store does not tell, or s3:GetBucketObjectLockConfiguration is not allowed.`;
  if (lock.ObjectLockConfiguration === undefined) return '';
  const { Mode, Days, Years } = lock.ObjectLockConfiguration.Rule?.DefaultRetention ?? {};
  if (Mode === undefined) return `The bucket ${bucket} has object lock: versions can be locked one by one.`;
  return `The bucket ${bucket} locks every version for ${Years ? `${Years} years` : `${Days} days`} (${Mode}).`;
}
