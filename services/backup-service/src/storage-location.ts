/** Where a storage is, as it is stored and as it is told: pure. */
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { StorageLocation } from './backup.ts';
import { isCleanAbsolutePath, type Validation } from './validate.ts';

type Location = NonNullable<Storage['location']>;

const BUCKET = /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/;
const CONTAINER = /^(\$root|[a-z0-9](-?[a-z0-9]){2,62})$/;
const ACCOUNT = /^[a-z0-9]{3,24}$/;
const PREFIX = /^[A-Za-z0-9._=/-]{1,512}$/;
const WORD = /^[A-Za-z0-9._:/+=@-]{1,256}$/;
const ENV_PREFIX = /^[A-Z][A-Z0-9_]{0,62}_$/;
const ENCRYPTIONS = ['', 'AES256', 'aws:kms'];
const HOW_TO_NAME =
  'must not carry credentials: name them with credentials.envPrefix or credentials.file, which the worker reads';

/** Adds what is wrong with where a storage is and how it is entered. */
export function checkLocation(check: Validation, { location, credentials }: Storage): void {
  check.require(location !== undefined, 'type', 'must be "local", "s3", "azure" or "gcs"');
  if (location) checkKind(check, location);
  const source = credentials?.source;
  if (source?.$case === 'envPrefix')
    check.require(
      ENV_PREFIX.test(source.value),
      'credentials.envPrefix',
      'must be capital letters, digits and underscores with an underscore at the end, such as PROD_',
    );
  if (source?.$case === 'file')
    check.require(
      isCleanAbsolutePath(source.value),
      'credentials.file',
      'must be the absolute path of a file on the worker',
    );
  check.require(!source || location?.$case !== 'local', 'credentials', 'must be left out: a folder needs none');
}

function checkKind(check: Validation, location: Location): void {
  const words = (fields: Readonly<Record<string, string>>) => {
    for (const [field, value] of Object.entries(fields))
      check.require(value === '' || WORD.test(value), field, 'must be a short word without blanks');
  };
  switch (location.$case) {
    case 'local':
      check.require(
        isCleanAbsolutePath(location.value.path),
        'path',
        'must be an absolute folder below / without "." or "..", at the same place on the worker and on every TiKV',
      );
      return;
    case 's3': {
      const { bucket, prefix, endpoint, region, provider, storageClass, sse, sseKmsKeyId, acl, roleArn, externalId } =
        location.value;
      check.require(BUCKET.test(bucket), 'bucket', 'must be the name of a bucket');
      checkPrefix(check, prefix);
      checkEndpoint(check, endpoint, false);
      words({ region, provider, storageClass, sseKmsKeyId, acl, roleArn, externalId });
      check.require(ENCRYPTIONS.includes(sse), 'sse', 'must be AES256 or aws:kms');
      check.require(sseKmsKeyId === '' || sse === 'aws:kms', 'sseKmsKeyId', 'goes only with sse "aws:kms"');
      return;
    }
    case 'azure': {
      const { container, prefix, accountName, endpoint, accessTier, encryptionScope } = location.value;
      check.require(CONTAINER.test(container), 'container', 'must be the name of a container');
      checkPrefix(check, prefix);
      check.require(accountName === '' || ACCOUNT.test(accountName), 'accountName', 'must be the name of an account');
      checkEndpoint(check, endpoint, true);
      words({ accessTier, encryptionScope });
      return;
    }
    case 'gcs': {
      const { bucket, prefix, endpoint, storageClass, predefinedAcl } = location.value;
      check.require(BUCKET.test(bucket), 'bucket', 'must be the name of a bucket');
      checkPrefix(check, prefix);
      checkEndpoint(check, endpoint, true);
      words({ storageClass, predefinedAcl });
    }
  }
}

function checkPrefix(check: Validation, prefix: string): void {
  check.require(
    prefix === '' || (PREFIX.test(prefix) && isCleanAbsolutePath(`/${prefix}`)),
    'prefix',
    'must be a folder such as team/backups, without a slash at either end',
  );
}

/** @param path whether a path may follow the host: some stores have the account there */
function checkEndpoint(check: Validation, endpoint: string, path: boolean): void {
  if (endpoint === '') return;
  const must = `must be a scheme and a host${path ? ', with or without a path' : ''}, such as https://minio.example:9000`;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol)) check.require(false, 'endpoint', must);
  else if (url.username || url.password || url.search || url.hash) check.require(false, 'endpoint', HOW_TO_NAME);
  else
    check.require(
      endpoint.length <= 512 && (path || url.pathname === '/') && !endpoint.endsWith('/'),
      'endpoint',
      must,
    );
}

/** The part of a stored storage, or of a snapshot, that says where it is. */
export function toStoredLocation({ location, credentials, sendCredentialsToTikv }: Storage): StorageLocation {
  const source = credentials?.source;
  return {
    ...(location?.$case === 'local' && { local: location.value }),
    ...(location?.$case === 's3' && { s3: location.value }),
    ...(location?.$case === 'azure' && { azure: location.value }),
    ...(location?.$case === 'gcs' && { gcs: location.value }),
    ...(source && { credentials: { [source.$case]: source.value } }),
    ...(sendCredentialsToTikv !== undefined && { sendCredentialsToTikv }),
  };
}

/** The same part of what is stored of a storage, and nothing else of it. */
export function locationOf(storage: StorageLocation): StorageLocation {
  const { local, s3, azure, gcs, credentials, sendCredentialsToTikv } = storage;
  return {
    ...(local && { local }),
    ...(s3 && { s3 }),
    ...(azure && { azure }),
    ...(gcs && { gcs }),
    ...(credentials && { credentials }),
    ...(sendCredentialsToTikv !== undefined && { sendCredentialsToTikv }),
  };
}

/** The same as a message. */
export function toLocationMessage({
  local,
  s3,
  azure,
  gcs,
  credentials,
  sendCredentialsToTikv,
}: StorageLocation): Pick<Storage, 'location' | 'credentials' | 'sendCredentialsToTikv'> {
  const { envPrefix, file } = credentials ?? {};
  return {
    location:
      (local && { $case: 'local', value: local }) ??
      (s3 && { $case: 's3', value: s3 }) ??
      (azure && { $case: 'azure', value: azure }) ??
      (gcs && { $case: 'gcs', value: gcs }),
    credentials:
      envPrefix !== undefined
        ? { source: { $case: 'envPrefix', value: envPrefix } }
        : file !== undefined
          ? { source: { $case: 'file', value: file } }
          : undefined,
    sendCredentialsToTikv,
  };
}
