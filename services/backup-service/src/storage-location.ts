/** Where a storage is, as it is stored and as it is shown: pure. */
import { isCleanAbsolutePath } from '@tidemark/br-options/names';
import { MAX_LOCATION, MAX_SHORT_TEXT } from '@tidemark/limits/limits';
import type { S3Location, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { StorageLocation } from './backup.ts';
import type { Validation } from './validate.ts';

type Location = NonNullable<Storage['location']>;

const BUCKET = /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/;
const CONTAINER = /^(\$root|[a-z0-9](-?[a-z0-9]){2,62})$/;
const ACCOUNT = /^[a-z0-9]{3,24}$/;
/** BR takes any name that a URL can hold in escapes (br-contract 2.2); Azure knows no other slash. */
const PREFIX = new RegExp(`^[^\\p{Cc}\\p{Cs}\\\\]{1,${MAX_LOCATION}}$`, 'u');
const WORD = new RegExp(`^[A-Za-z0-9._:/+=@-]{1,${MAX_SHORT_TEXT}}$`);
const ENV_PREFIX = /^[A-Z][A-Z0-9_]{0,62}_$/;
const ENCRYPTIONS = ['', 'AES256', 'aws:kms'];
const HOW_TO_NAME =
  'must not carry credentials: name them with credentials.envPrefix or credentials.file, which the worker reads';

/** As BR understands it: slashes around a prefix and behind an endpoint mean nothing to it. */
export function normalizedLocation(location: Storage['location']): Storage['location'] {
  const trimmed = (prefix: string) => prefix.replace(/^\/+|\/+$/g, '');
  const bare = (endpoint: string) => endpoint.replace(/\/+$/, '');
  if (location === undefined || location.$case === 'local') return location;
  const { prefix, endpoint } = location.value;
  return { ...location, value: { ...location.value, prefix: trimmed(prefix), endpoint: bare(endpoint) } } as Location;
}

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
    `must be a folder such as team/backups of at most ${MAX_LOCATION} characters, without "." and "..", doubled slashes, backslashes and control characters`,
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
      endpoint.length <= MAX_LOCATION && (path || url.pathname === '/') && !endpoint.endsWith('/'),
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

/**
 * Names the place where the files of a storage lie, whatever the way in: what is not this is another place, of which
 * nothing is known yet.
 *
 * @param root first part of the paths in it
 */
export function placeOf({ local, s3, azure, gcs }: StorageLocation, root: string): string {
  const where =
    (local && ['local', local.path]) ??
    (s3 && ['s3', originOf(s3.endpoint), s3.bucket, s3.prefix]) ??
    (azure && ['azure', originOf(azure.endpoint), azure.accountName, azure.container, azure.prefix]) ??
    (gcs && ['gcs', originOf(gcs.endpoint), gcs.bucket, gcs.prefix]) ??
    [];
  return JSON.stringify([...where, root]);
}

/** Whether two storages are one place, as `placeOf` sees it; their roots do not matter, which are a part of each path. */
export function isSamePlace(one: StorageLocation, other: StorageLocation): boolean {
  return placeOf(one, '') === placeOf(other, '');
}

/**
 * Where files lie as it is on record, and how to get in as the storage is registered today, as long as that is the same
 * place: else, and where it is not registered, all is as it is on record. What only counts for what is written, such as a
 * storage class, stays as it is on record too.
 */
export function enteredAs<T extends StorageLocation>(recorded: T, registered: StorageLocation | undefined): T {
  if (!registered || !isSamePlace(recorded, registered)) return recorded;
  const { credentials: _, sendCredentialsToTikv: __, ...where } = recorded;
  const { credentials, sendCredentialsToTikv } = registered;
  const entered = {
    ...where,
    ...(recorded.s3 && registered.s3 && { s3: enteredBucket(recorded.s3, registered.s3) }),
    ...(credentials && { credentials }),
    ...(sendCredentialsToTikv !== undefined && { sendCredentialsToTikv }),
  };
  return entered as T;
}

function enteredBucket({ forcePathStyle: _, ...recorded }: S3Location, registered: S3Location): S3Location {
  const { region, provider, forcePathStyle, roleArn, externalId } = registered;
  return { ...recorded, region, provider, forcePathStyle, roleArn, externalId };
}

/** A place in words, such as `s3://backups/team at https://minio:9000`. */
export function titleOf({ local, s3, azure, gcs }: StorageLocation): string {
  const url = (scheme: string, ...parts: string[]) => `${scheme}://${parts.filter((part) => part !== '').join('/')}`;
  const at = (endpoint: string) => (endpoint === '' ? '' : ` at ${endpoint}`);
  if (local) return local.path;
  if (s3) return url('s3', s3.bucket, s3.prefix) + at(s3.endpoint);
  if (azure) {
    const account = azure.accountName === '' ? '' : ` of account ${azure.accountName}`;
    return url('azure', azure.container, azure.prefix) + account + at(azure.endpoint);
  }
  return gcs ? url('gcs', gcs.bucket, gcs.prefix) + at(gcs.endpoint) : 'an unknown place';
}

function originOf(endpoint: string): string {
  return URL.canParse(endpoint) ? new URL(endpoint).href.replace(/\/+$/, '') : endpoint;
}
