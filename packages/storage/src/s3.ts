/**
 * Files in a bucket of Amazon S3, or of a store that speaks like it, each with habits of its own (docs/storages.md).
 */
import { createHash } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
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
  S3Client,
  type S3ClientConfig,
  type ServerSideEncryption,
  type StorageClass,
} from '@aws-sdk/client-s3';
import {
  fromHttp,
  fromIni,
  fromNodeProviderChain,
  fromTemporaryCredentials,
  fromTokenFile,
} from '@aws-sdk/credential-providers';
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
import type { RemovalFailure, StorageFiles } from './storage-files.ts';

/** BR does not speak to these with the bucket in the path (br-contract 2.3). */
const VIRTUAL_HOST_PROVIDERS = ['alibaba', 'netease'];
const KEYS_AT_ONCE = 1_000;
const CONNECT_MS = 5_000;

/** For how long a bucket that takes no deletion of many keys is not asked for one again. */
const NO_BULK_MS = 3_600_000;
/** Buckets that take none, by endpoint and name, and until when that is believed. */
const withoutBulk = new Map<string, number>();

/** Errors that belong to one key, where keys are deleted one by one. */
const OF_ONE_KEY = [403, 409, 412];

const codeOf = (error: unknown) => (error instanceof Error ? error.name : '');

/** Opens a bucket; whether it is there shows with the first request. */
export async function openS3Files(
  location: S3Location,
  credentials: Credentials,
  answerMs: number,
  env: Env,
): Promise<StorageFiles> {
  const { bucket } = location;
  const client = createClient(location, credentials, answerMs, env);
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

function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = error as {
    $metadata?: { httpStatusCode?: number };
    // What the answer of a store was that could not be read as one of S3.
    $response?: { statusCode?: number };
  };
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** Not the bucket, which has the same status. */
function isAbsent(error: unknown): boolean {
  return statusOf(error) === 404 && codeOf(error) !== 'NoSuchBucket';
}

/** A request that a store does not take, now or later; 408 and 429 are trouble that passes. */
function isRefused(error: unknown): boolean {
  const status = statusOf(error) ?? 0;
  return status === 501 || (status >= 400 && status < 500 && status !== 408 && status !== 429);
}

function createClient(location: S3Location, credentials: Credentials, answerMs: number, env: Env): S3Client {
  const region = location.region || 'us-east-1';
  const config: S3ClientConfig = {
    region,
    ...(location.endpoint && { endpoint: location.endpoint }),
    forcePathStyle: !VIRTUAL_HOST_PROVIDERS.includes(location.provider) && (location.forcePathStyle ?? true),
    // Many stores that speak like S3 do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: answerMs,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent({ keepAlive: true, proxyEnv: env }),
      httpsAgent: new HttpsAgent({ keepAlive: true, proxyEnv: env }),
    },
    credentials: provideCredentials(location, region, credentials),
  };
  const client = new S3Client(config);
  // The same stores want this one, which the library has left behind, for deletions.
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const { request } = args as { request?: { headers: Record<string, string>; body?: unknown } };
        if (commandName === 'DeleteObjectsCommand' && typeof request?.body === 'string') {
          for (const name of Object.keys(request.headers))
            if (/^x-amz-(sdk-)?checksum-/i.test(name)) delete request.headers[name];
          request.headers['content-md5'] = createHash('md5').update(request.body).digest('base64');
        }
        return next(args);
      },
    { step: 'build', priority: 'low', name: 'contentMd5' },
  );
  return client;
}

/** What the variables name, without looking at those of this process; its own chain where they name nothing. */
function provideCredentials(location: S3Location, region: string, credentials: Credentials) {
  const own = provideOwn(credentials);
  if (!location.roleArn) return own;
  // Stores other than Amazon give roles away where they keep files.
  const elsewhere = location.endpoint !== '' && !/\.amazonaws\.com(\.cn)?(:\d+)?\/?$/.test(location.endpoint);
  return fromTemporaryCredentials({
    masterCredentials: own,
    params: {
      RoleArn: location.roleArn,
      RoleSessionName: 'tidemark',
      ...(location.externalId && { ExternalId: location.externalId }),
    },
    clientConfig: { region, ...(elsewhere && { endpoint: location.endpoint }) },
  });
}

function provideOwn(credentials: Credentials) {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
    AWS_WEB_IDENTITY_TOKEN_FILE: webIdentityTokenFile,
    AWS_ROLE_ARN: roleArn,
    AWS_ROLE_SESSION_NAME: roleSessionName,
    AWS_PROFILE: profile,
    AWS_SHARED_CREDENTIALS_FILE: filepath,
    AWS_CONFIG_FILE: configFilepath,
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: awsContainerCredentialsRelativeUri,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: awsContainerCredentialsFullUri,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: awsContainerAuthorizationToken,
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: awsContainerAuthorizationTokenFile,
  } = credentials;
  if (accessKeyId && secretAccessKey)
    return async () => ({ accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) });
  if (webIdentityTokenFile && roleArn)
    return fromTokenFile({ webIdentityTokenFile, roleArn, ...(roleSessionName && { roleSessionName }) });
  if (profile || filepath || configFilepath)
    return fromIni({
      ...(profile && { profile }),
      ...(filepath && { filepath }),
      ...(configFilepath && { configFilepath }),
    });
  if (awsContainerCredentialsRelativeUri || awsContainerCredentialsFullUri) {
    return fromHttp({
      ...(awsContainerCredentialsRelativeUri && { awsContainerCredentialsRelativeUri }),
      ...(awsContainerCredentialsFullUri && { awsContainerCredentialsFullUri }),
      ...(awsContainerAuthorizationToken && { awsContainerAuthorizationToken }),
      ...(awsContainerAuthorizationTokenFile && { awsContainerAuthorizationTokenFile }),
    });
  }
  return fromNodeProviderChain();
}

function explain(error: unknown, { bucket, region, endpoint, roleArn, storageClass }: S3Location): string | undefined {
  const code = codeOf(error);
  const place = endpoint === '' ? 'Amazon S3' : endpoint;
  const status = statusOf(error);
  switch (code) {
    case 'NoSuchBucket':
      return `The bucket ${bucket} is not there (${place}): make it, or correct the storage.`;
    case 'CredentialsProviderError':
    case 'TokenProviderError':
      return `This worker has no credentials for the bucket ${bucket}: give it keys or a role, or name their source in the storage.`;
    case 'InvalidAccessKeyId':
    case 'InvalidClientTokenId':
    case 'SignatureDoesNotMatch':
    case 'InvalidToken':
    case 'ExpiredToken':
    case 'UnrecognizedClientException':
      return `${place} refuses the credentials for the bucket ${bucket} (${code}): correct them where the storage says that they are.`;
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      return `The bucket ${bucket} is not in the region "${region || 'us-east-1'}" (${code}): correct the region of the storage.`;
    case 'RequestTimeTooSkewed':
      return `The clock of this worker is wrong, so ${place} refuses its requests: set it.`;
    case 'InvalidStorageClass':
      return `${place} knows no storage class "${storageClass}" for the bucket ${bucket}: correct the storage.`;
    case 'InvalidObjectState':
      return `Files of the storage class "${storageClass}" cannot be read in the bucket ${bucket} before they were restored from the archive: a backup could not be verified; name another class in the storage.`;
    case 'InvalidBucketName':
      return `"${bucket}" is no name of a bucket: correct the storage.`;
  }
  if (code === 'AccessDenied' || status === 401 || status === 403) {
    const role = roleArn === '' ? '' : ` with the role ${roleArn}`;
    return `Access to the bucket ${bucket}${role} is denied (${code}): allow it s3:ListBucket, GetObject, PutObject, DeleteObject and AbortMultipartUpload.`;
  }
  if (status === 301) return `The bucket ${bucket} is in another region: correct the region of the storage.`;
  return undefined;
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
