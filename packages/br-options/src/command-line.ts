/** What every command line of `br` has in common (br-contract 1 and 2). Pure; no argument holds a secret. */
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';

/** BR picks a free port and prints it: fixed words here, so that attempts do not differ, and nobody else's port. */
export const STATUS_ADDRESS = '127.0.0.1:0';

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
