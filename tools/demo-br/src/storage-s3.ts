import { constants } from 'node:http2';
import type {
  HeadBucketCommandOutput,
  ListObjectsCommandOutput,
  PutObjectCommandInput,
  S3Client,
  S3ClientConfig,
} from '@aws-sdk/client-s3';
import { BrError, invalidStorage } from './br-error.ts';
import type { Dialect } from './dialect.ts';
import { isMissingObject, regionInError, s3ErrorText } from './s3-error.ts';
import type { Storage } from './storage.ts';
import { boolParameter, type ObjectStoreTarget, type StorageParameters } from './storage-url.ts';

const DEFAULT_REGION = 'us-east-1';
/** Those that are asked for a bucket by its own host name. */
const VIRTUAL_HOST_PROVIDERS = ['alibaba', 'netease'];

/**
 * A place in a bucket of S3 or a store that speaks its language. Credentials come from the URL or from where the vendor's
 * client looks for them: AWS_ACCESS_KEY_ID and so on (br-contract 2.3, 2.4).
 *
 * @throws BrError for parameters that make no sense, or for a region that is not the bucket's
 */
export async function s3Storage(target: ObjectStoreTarget, dialect: Dialect): Promise<Storage> {
  const { bucket, prefix, parameters } = target;
  const s3 = await import('@aws-sdk/client-s3');
  const config = clientConfig(parameters, dialect);
  const region = await bucketRegion(new s3.S3Client(config), target, dialect);
  const client = new s3.S3Client({ ...config, region });
  const start = prefix === '' ? '' : `${prefix}/`;
  const options = putOptions(parameters);
  const object = (name: string) => ({ Bucket: bucket, Key: start + name });

  /** Does what `br` would do, and fails in its words. */
  const send = async <T>(method: string, name: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw new BrError(
        s3ErrorText(error, { method, endpoint: parameters.get('endpoint'), bucket, key: start + name }),
      );
    }
  };
  /** The same where something may be missing. */
  const find = <T>(method: string, name: string, work: () => Promise<T>): Promise<T | undefined> =>
    send(method, name, async () => {
      try {
        return await work();
      } catch (error) {
        if (isMissingObject(error)) return undefined;
        throw error;
      }
    });

  return {
    kind: 's3',
    uri: `s3://${bucket}/${start}`,
    path: undefined,
    async writeWhole(name, body) {
      await send('Put', name, () => client.send(new s3.PutObjectCommand({ ...object(name), ...options, Body: body })));
    },
    read: (name) =>
      find('Get', name, async () => {
        const { Body } = await client.send(new s3.GetObjectCommand(object(name)));
        return Buffer.from((await Body?.transformToByteArray()) ?? []);
      }),
    exists: async (name) =>
      (await find('Head', name, () => client.send(new s3.HeadObjectCommand(object(name))))) !== undefined,
    list: () =>
      send('Get', '', async () => {
        const names: string[] = [];
        // In version 1, as BR does: outside of folders the last name is the marker of the next page.
        for (let Marker: string | undefined, more = true; more; ) {
          const input = { Bucket: bucket, Prefix: start, ...(Marker !== undefined && { Marker }) };
          const page: ListObjectsCommandOutput = await client.send(new s3.ListObjectsCommand(input));
          const keys = (page.Contents ?? []).map(({ Key = '' }) => Key);
          names.push(...keys.map((key) => key.slice(start.length)));
          Marker = page.NextMarker || keys.at(-1);
          more = page.IsTruncated === true && keys.length > 0;
        }
        return names.toSorted();
      }),
    async remove(name) {
      await send('Delete', name, () => client.send(new s3.DeleteObjectCommand(object(name))));
    },
    makeFolder: async () => undefined,
  };
}

function clientConfig(parameters: StorageParameters, dialect: Dialect): S3ClientConfig {
  const endpoint = parameters.get('endpoint') ?? '';
  if (endpoint !== '' && !/^[a-z]+:\/\//i.test(endpoint)) throw invalidStorage('scheme not found in endpoint');
  if (endpoint !== '' && !URL.canParse(endpoint)) throw invalidStorage('host not found in endpoint');
  if (parameters.has('role-arn')) throw invalidStorage('demo-br: role-arn is not here');
  const accelerated = boolParameter(parameters, 'use-accelerate-endpoint', false);
  const credentials = urlCredentials(parameters, dialect);
  return {
    region: parameters.get('region') || DEFAULT_REGION,
    forcePathStyle:
      boolParameter(parameters, 'force-path-style', true) &&
      !accelerated &&
      !VIRTUAL_HOST_PROVIDERS.includes(parameters.get('provider') ?? ''),
    useAccelerateEndpoint: accelerated,
    maxAttempts: 3,
    // Other makers' stores do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(endpoint !== '' && { endpoint }),
    ...(credentials && { credentials }),
  };
}

function urlCredentials(parameters: StorageParameters, dialect: Dialect) {
  const accessKeyId = parameters.get('access-key') ?? '';
  const secretAccessKey = parameters.get('secret-access-key') ?? '';
  if (accessKeyId === '' && secretAccessKey === '') return undefined;
  if (accessKeyId === '') throw invalidStorage('access_key not found');
  if (secretAccessKey === '') throw invalidStorage('secret_access_key not found');
  const sessionToken = dialect.sessionTokenInUrl ? parameters.get('session-token') : undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

/** Without a provider, or with `aws`, BR asks even another maker's endpoint where the bucket is (br-contract 14.22). */
async function bucketRegion(client: S3Client, target: ObjectStoreTarget, dialect: Dialect): Promise<string> {
  const { bucket, parameters } = target;
  const given = parameters.get('region') ?? '';
  const asks = dialect.detectsRegion && ['', 'aws'].includes(parameters.get('provider') ?? '');
  if (!asks) return given || DEFAULT_REGION;
  const real = (await askRegion(client, target)) || DEFAULT_REGION;
  if (given !== '' && given !== real) {
    throw new BrError(
      `s3 bucket and region are not matched, bucket=${bucket}, input region=${given}, real region=${real}`,
    );
  }
  return real;
}

async function askRegion(client: S3Client, { bucket, parameters }: ObjectStoreTarget): Promise<string | undefined> {
  const { HeadBucketCommand } = await import('@aws-sdk/client-s3');
  try {
    const answer: HeadBucketCommandOutput = await client.send(new HeadBucketCommand({ Bucket: bucket }));
    return answer.BucketRegion;
  } catch (error) {
    const region = regionInError(error);
    if (region?.status === constants.HTTP_STATUS_MOVED_PERMANENTLY) return region.name;
    const text = s3ErrorText(error, { method: 'Head', endpoint: parameters.get('endpoint'), bucket, key: '' });
    throw new BrError(`failed to get region of bucket ${bucket}: ${text}`);
  } finally {
    client.destroy();
  }
}

function putOptions(parameters: StorageParameters): Partial<PutObjectCommandInput> {
  const pairs = [
    ['ACL', parameters.get('acl')],
    ['StorageClass', parameters.get('storage-class')],
    ['ServerSideEncryption', parameters.get('sse')],
    ['SSEKMSKeyId', parameters.get('sse-kms-key-id')],
  ];
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined && value !== ''));
}
