/** The exact command line of `br` (br-contract.md sections 1 and 2): pure, and byte-identical between attempts so that BR resumes. */
import type { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type Env, envWithPrefixes } from '@tidemark/service-kit/env';

/** BR picks a free port and prints it: fixed words here, so that attempts do not differ, and nobody else's port. */
export const STATUS_ADDRESS = '127.0.0.1:0';

/**
 * Arguments of a full backup. Whatever BR has a changing default for is said explicitly. No argument holds a secret.
 *
 * @param path of the backup below the storage
 */
export function backupArguments(target: Target, storage: Storage, path: string): string[] {
  const { pd, tls, brOptions } = target;
  const extra = Object.entries(brOptions?.extra ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  return [
    'backup',
    'full',
    '--pd',
    pd.join(','),
    '--storage',
    storageUrl(storage, path),
    ...storageFlags(storage),
    `--checksum=${takesChecksum(target)}`,
    '--log-level',
    'info',
    `--send-credentials-to-tikv=${storage.sendCredentialsToTikv ?? true}`,
    '--status-addr',
    STATUS_ADDRESS,
    ...flag('ca', tls?.ca),
    ...flag('cert', tls?.cert),
    ...flag('key', tls?.key),
    ...flag('ratelimit', brOptions?.rateLimit),
    ...flag('concurrency', brOptions?.concurrency),
    ...flag('compression', brOptions?.compression),
    ...(brOptions?.filters ?? []).flatMap((filter) => flag('filter', filter)),
    ...flag('crypter.method', brOptions?.crypterMethod),
    ...flag('crypter.key-file', brOptions?.crypterKeyFile),
    // Written with `=`: BR takes the value of a boolean in no other way (br-contract 1.1).
    ...extra.map(([name, value]) => `--${name}=${value}`),
  ];
}

/** Where the files go, as BR wants it written (br-contract 2.1); never with credentials. */
export function storageUrl({ location }: Storage, path: string): string {
  switch (location?.$case) {
    case 'local':
      return `local://${encoded(`${location.value.path}/${path}`)}`;
    case 's3': {
      // The only parameter that BR has no flag for, and reads from the URL alone.
      const { bucket, prefix, forcePathStyle } = location.value;
      const query = forcePathStyle === undefined ? '' : `?force-path-style=${forcePathStyle}`;
      return `s3://${bucket}/${encoded(joined(prefix, path))}${query}`;
    }
    case 'azure':
      return `azure://${location.value.container}/${encoded(joined(location.value.prefix, path))}`;
    case 'gcs':
      return `gcs://${location.value.bucket}/${encoded(joined(location.value.prefix, path))}`;
    default:
      throw new Error('the storage does not say where it is');
  }
}

/** What BR is to know of a storage beside its URL. */
export function storageFlags({ location }: Storage): string[] {
  switch (location?.$case) {
    case 's3': {
      const { endpoint, region, provider, storageClass, sse, sseKmsKeyId, acl, roleArn, externalId } = location.value;
      return [
        ...flag('s3.endpoint', endpoint),
        ...flag('s3.region', region),
        ...flag('s3.provider', provider),
        ...flag('s3.storage-class', storageClass),
        ...flag('s3.sse', sse),
        ...flag('s3.sse-kms-key-id', sseKmsKeyId),
        ...flag('s3.acl', acl),
        ...flag('s3.role-arn', roleArn),
        ...flag('s3.external-id', externalId),
      ];
    }
    case 'azure': {
      const { endpoint, accountName, accessTier, encryptionScope } = location.value;
      return [
        ...flag('azblob.endpoint', endpoint),
        ...flag('azblob.account-name', accountName),
        ...flag('azblob.access-tier', accessTier),
        ...flag('azblob.encryption-scope', encryptionScope),
      ];
    }
    case 'gcs': {
      const { endpoint, storageClass, predefinedAcl } = location.value;
      return [
        ...flag('gcs.endpoint', endpoint),
        ...flag('gcs.storage-class', storageClass),
        ...flag('gcs.predefined-acl', predefinedAcl),
      ];
    }
    default:
      return [];
  }
}

/** A flag with its value; none where the value is absent, empty or 0. */
export const flag = (name: string, value: string | number | undefined): string[] =>
  value ? [`--${name}`, `${value}`] : [];
const joined = (prefix: string, path: string): string => (prefix === '' ? path : `${prefix}/${path}`);
const encoded = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

/** Whether BR compares checksums at the end; off unless asked for, as in BR itself from 8.5 on. */
export function takesChecksum({ brOptions }: Target): boolean {
  return brOptions?.checksum ?? false;
}

const INHERITED = [
  ...['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'TIDEMARK_NODE'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
];
const INHERITED_PREFIXES = ['DEMO_BR_'];

/**
 * The whole environment of a `br`: an allow-list, the credentials of its storage, and what makes every version print its
 * log to standard output.
 */
export function brEnvironment(
  env: Env,
  temporaryFolder: string,
  credentials: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  return {
    ...Object.fromEntries(inherited),
    ...envWithPrefixes(env, INHERITED_PREFIXES),
    ...credentials,
    TMPDIR: temporaryFolder,
    BR_LOG_TO_TERM: '1',
  };
}
