/** A storage as a person names it to `br`: a folder, or a URL. Pure. */
import { isAbsolute } from 'node:path';
import {
  AzureLocation,
  GcsLocation,
  S3Location,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { UsageError } from './exit.ts';

/** Parameters of a URL that hold secrets, and the variables that take their place. */
const SECRETS: Readonly<Record<string, string>> = {
  'access-key': 'AWS_ACCESS_KEY_ID',
  'secret-access-key': 'AWS_SECRET_ACCESS_KEY',
  'session-token': 'AWS_SESSION_TOKEN',
  'account-key': 'AZURE_STORAGE_KEY',
  'encryption-key': 'AZURE_ENCRYPTION_KEY',
};

/**
 * Reads the name of a storage: an absolute folder, `local://`, `s3://`, `gcs://` (`gs://`) or `azure://` (`azblob://`) with the
 * parameters that `br` knows (br-contract.md section 2).
 *
 * @throws UsageError naming what is wrong
 */
export function parseStorageAddress(text: string): Storage {
  if (isAbsolute(text)) return localStorage(text);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) throw usage(`"${text}" is neither an absolute folder nor a URL such as s3://bucket/prefix`);
  const parameters = readParameters(url);
  const take = (name: string) => {
    const value = parameters.get(name) ?? '';
    parameters.delete(name);
    return value;
  };
  const place = { prefix: decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, ''), endpoint: take('endpoint') };
  const location = toLocation(url, place, take);
  const [odd] = parameters.keys();
  if (odd !== undefined) throw usage(`--storage has a parameter "${odd}" that is not known for ${url.protocol}//`);
  return Storage.create({ id: 'storage', location });
}

function toLocation(
  url: URL,
  { prefix, endpoint }: { readonly prefix: string; readonly endpoint: string },
  take: (name: string) => string,
): Storage['location'] {
  const bucket = decodeURIComponent(url.hostname);
  if (url.protocol === 'local:' || url.protocol === 'file:') {
    if (bucket !== '') throw usage(`"${url.href}" must have three slashes, as in local:///mnt/backup`);
    return localStorage(`/${prefix}`).location;
  }
  if (bucket === '') throw usage(`"${url.href}" names no bucket, as in s3://bucket/prefix`);
  switch (url.protocol) {
    case 's3:': {
      const pathStyle = take('force-path-style');
      return {
        $case: 's3',
        value: S3Location.create({
          bucket,
          prefix,
          endpoint,
          region: take('region'),
          provider: take('provider'),
          roleArn: take('role-arn'),
          externalId: take('external-id'),
          ...(pathStyle !== '' && { forcePathStyle: ['true', '1', 't'].includes(pathStyle) }),
        }),
      };
    }
    case 'gs:':
    case 'gcs:':
      return { $case: 'gcs', value: GcsLocation.create({ bucket, prefix, endpoint }) };
    case 'azblob:':
    case 'azure:':
      return {
        $case: 'azure',
        value: AzureLocation.create({ container: bucket, prefix, endpoint, accountName: take('account-name') }),
      };
    default:
      throw usage(`"${url.protocol}//" is no kind of storage: local, s3, gcs and azure are`);
  }
}

/** By their names as `br` takes them, in any case and with `_` for `-`. */
function readParameters(url: URL): Map<string, string> {
  const found = new Map<string, string>();
  for (const [written, value] of url.searchParams) {
    const name = written.toLowerCase().replaceAll('_', '-');
    if (name === 'sas-token') throw usage('A SAS token is not taken: give AZURE_STORAGE_KEY in the environment');
    const variable = SECRETS[name];
    if (variable !== undefined)
      throw usage(`Secrets do not belong into the address of a storage: give ${variable} in the environment`);
    found.set(name, value);
  }
  return found;
}

const localStorage = (path: string) => Storage.create({ id: 'storage', location: { $case: 'local', value: { path } } });

const usage = (sentence: string) => new UsageError(`${sentence}. verify --help tells the rest.`);
