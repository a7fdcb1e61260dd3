/**
 * Files in a bucket of Amazon S3, or of a store that speaks like it.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandInput,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  NoSuchKey,
  type ObjectCannedACL,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
  type ServerSideEncryption,
} from '@aws-sdk/client-s3';
import {
  fromHttp,
  fromIni,
  fromNodeProviderChain,
  fromTemporaryCredentials,
  fromTokenFile,
} from '@aws-sdk/credential-providers';
import type { S3Location } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type Credentials, secretsOf } from './credentials.ts';
import { collect, createRequests, prefixOf } from './requests.ts';
import type { RemovalFailure, StorageFiles } from './storage-files.ts';

/** BR does not speak to these with the bucket in the path (br-contract 2.3). */
const VIRTUAL_HOST_PROVIDERS = ['alibaba', 'netease'];
const KEYS_AT_ONCE = 1_000;
const CONNECT_MS = 5_000;

/** Stores that do not know a request, or do not let us send it; deleting works all the same. */
const NOT_FOR_US = ['AccessDenied', 'NotImplemented', 'MethodNotAllowed', 'XNotImplemented'];

const codeOf = (error: unknown) => (error instanceof Error ? error.name : '');

/** Opens a bucket; whether it is there shows with the first request. */
export async function openS3Files(
  location: S3Location,
  credentials: Credentials,
  answerMs: number,
): Promise<StorageFiles> {
  const { bucket } = location;
  const client = createClient(location, credentials, answerMs);
  const base = prefixOf(location.prefix);
  const request = createRequests({
    title: `the bucket ${bucket}`,
    answerMs,
    secrets: secretsOf(credentials),
    explain: (error) => explain(error, location),
  });
  /** Where old versions are kept, each deletion says so; undefined before the first one. */
  let madeDeleteMarkers: boolean | undefined;

  const pages = async function* (prefix: string, delimiter: string | undefined, signal: AbortSignal) {
    let token: string | undefined;
    do {
      const input = { Bucket: bucket, Prefix: prefix, Delimiter: delimiter, ContinuationToken: token };
      const page = await request(signal, (abortSignal) =>
        client.send(new ListObjectsV2Command(input), { abortSignal }),
      );
      yield page;
      token = page.NextContinuationToken;
    } while (token !== undefined);
  };

  return {
    async *list(folder, signal) {
      const prefix = `${base}${folder}/`;
      for await (const { Contents = [] } of pages(prefix, undefined, signal))
        for (const { Key = '', Size = 0 } of Contents) yield { name: Key.slice(prefix.length), bytes: Size };
    },
    async *folders(folder, signal) {
      const prefix = base + (folder === '' ? '' : `${folder}/`);
      for await (const { CommonPrefixes = [] } of pages(prefix, '/', signal)) {
        for (const { Prefix = '' } of CommonPrefixes) {
          const name = Prefix.slice(prefix.length, -1);
          if (name !== '') yield name;
        }
      }
    },
    read: (name, signal) =>
      request(signal, async (abortSignal, alive) => {
        try {
          const input = { Bucket: bucket, Key: base + name };
          const { Body } = await client.send(new GetObjectCommand(input), { abortSignal });
          return await collect(Body as Readable, abortSignal, alive);
        } catch (error) {
          if (error instanceof NoSuchKey) return undefined;
          throw error;
        }
      }),
    async write(name, content, signal) {
      const input = {
        Bucket: bucket,
        Key: base + name,
        Body: content,
        // Buckets with object lock want it.
        ContentMD5: createHash('md5').update(content).digest('base64'),
        ...(location.sse && { ServerSideEncryption: location.sse as ServerSideEncryption }),
        ...(location.sseKmsKeyId && { SSEKMSKeyId: location.sseKmsKeyId }),
        ...(location.acl && { ACL: location.acl as ObjectCannedACL }),
      };
      await request(signal, (abortSignal) => client.send(new PutObjectCommand(input), { abortSignal }));
    },
    async remove(names, signal) {
      const failures: RemovalFailure[] = [];
      for (let from = 0; from < names.length; from += KEYS_AT_ONCE) {
        const Objects = names.slice(from, from + KEYS_AT_ONCE).map((name) => ({ Key: base + name }));
        const { Deleted = [], Errors = [] } = await request(signal, (abortSignal) =>
          client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }), { abortSignal }),
        );
        if (Deleted.length > 0) madeDeleteMarkers ||= Deleted.some(({ DeleteMarker }) => DeleteMarker);
        for (const { Key = '', Code = '', Message = '' } of Errors)
          if (Code !== 'NoSuchKey') failures.push({ name: Key.slice(base.length), why: `${Code}: ${Message}` });
      }
      return failures;
    },
    async finishRemoval(folder, signal) {
      // Where that is not allowed, a rule of the bucket must end them.
      const input = { Bucket: bucket, Prefix: `${base}${folder}/` };
      for (let from: Pick<ListMultipartUploadsCommandInput, 'KeyMarker' | 'UploadIdMarker'> | undefined = {}; from; ) {
        const page: ListMultipartUploadsCommandInput = { ...input, ...from };
        const found: Omit<ListMultipartUploadsCommandOutput, '$metadata'> = await request(signal, (abortSignal) =>
          client.send(new ListMultipartUploadsCommand(page), { abortSignal }).catch(emptyWhenNotForUs),
        );
        for (const { Key, UploadId } of found.Uploads ?? []) {
          await request(signal, (abortSignal) =>
            client
              .send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }), { abortSignal })
              .catch(emptyWhenNotForUs),
          );
        }
        from = found.IsTruncated
          ? { KeyMarker: found.NextKeyMarker, UploadIdMarker: found.NextUploadIdMarker }
          : undefined;
      }
    },
    async traits(signal) {
      const Bucket = bucket;
      const versioning = await request(signal, (abortSignal) =>
        client.send(new GetBucketVersioningCommand({ Bucket }), { abortSignal }).catch(undefinedWhenNotForUs),
      );
      const lock = await request(signal, (abortSignal) =>
        client.send(new GetObjectLockConfigurationCommand({ Bucket }), { abortSignal }).catch((error: unknown) => {
          if (codeOf(error) === 'ObjectLockConfigurationNotFoundError') return {};
          return undefinedWhenNotForUs(error);
        }),
      );
      return { ...describeVersions(versioning, madeDeleteMarkers, bucket), lock: describeLock(lock, bucket) };
    },
  };
}

function createClient(location: S3Location, credentials: Credentials, answerMs: number): S3Client {
  const region = location.region || 'us-east-1';
  const config: S3ClientConfig = {
    region,
    ...(location.endpoint && { endpoint: location.endpoint }),
    forcePathStyle: !VIRTUAL_HOST_PROVIDERS.includes(location.provider) && (location.forcePathStyle ?? true),
    // Many stores that speak like S3 do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: answerMs, throwOnRequestTimeout: true },
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

function explain(error: unknown, { bucket, region, endpoint, roleArn }: S3Location): string | undefined {
  const code = codeOf(error);
  const place = endpoint === '' ? 'Amazon S3' : endpoint;
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
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
  const unknown = `Whether the bucket ${bucket} keeps old versions could not be asked; allow s3:GetBucketVersioning.`;
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
    return `Whether the bucket ${bucket} locks objects could not be asked; allow s3:GetBucketObjectLockConfiguration.`;
  if (lock.ObjectLockConfiguration === undefined) return '';
  const { Mode, Days, Years } = lock.ObjectLockConfiguration.Rule?.DefaultRetention ?? {};
  if (Mode === undefined) return `The bucket ${bucket} has object lock: versions can be locked one by one.`;
  return `The bucket ${bucket} locks every version for ${Years ? `${Years} years` : `${Days} days`} (${Mode}).`;
}

function undefinedWhenNotForUs(error: unknown): undefined {
  if (!NOT_FOR_US.includes(codeOf(error))) throw error;
}

function emptyWhenNotForUs(error: unknown): Omit<ListMultipartUploadsCommandOutput, '$metadata'> {
  undefinedWhenNotForUs(error);
  return {};
}
