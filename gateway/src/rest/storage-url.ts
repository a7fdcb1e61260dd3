/** Storages written as BR writes them (br-contract.md section 2): one URL, read into the fields of the API. Pure. */
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_QUOTED_NAME } from '@tidemark/limits/limits';

type Fields = Readonly<Record<string, string | boolean>>;

/** What each kind's parameters are called in the API. */
const PARAMETERS: Readonly<Record<'s3' | 'azure' | 'gcs', Readonly<Record<string, string>>>> = {
  s3: {
    endpoint: 'endpoint',
    region: 'region',
    provider: 'provider',
    'force-path-style': 'forcePathStyle',
    'storage-class': 'storageClass',
    sse: 'sse',
    'sse-kms-key-id': 'sseKmsKeyId',
    acl: 'acl',
    'role-arn': 'roleArn',
    'external-id': 'externalId',
  },
  azure: {
    endpoint: 'endpoint',
    'account-name': 'accountName',
    'access-tier': 'accessTier',
    'encryption-scope': 'encryptionScope',
  },
  gcs: { endpoint: 'endpoint', 'storage-class': 'storageClass', 'predefined-acl': 'predefinedAcl' },
};
const SECRET = [
  'access-key',
  'secret-access-key',
  'session-token',
  'account-key',
  'sas-token',
  'encryption-key',
  'credentials-file',
];
const KINDS: Readonly<Record<string, 'local' | 's3' | 'azure' | 'gcs'>> = {
  local: 'local',
  file: 'local',
  s3: 's3',
  ks3: 's3',
  gcs: 'gcs',
  gs: 'gcs',
  azure: 'azure',
  azblob: 'azure',
};
const TRUE = ['true', '1', 't'];
const FALSE = ['false', '0', 'f'];

/** What to do with a secret that came in a URL; never what it was. */
export const NAME_CREDENTIALS =
  'must not be sent: keep credentials on the workers, and name them with credentials.envPrefix (such as "PROD_" for PROD_AWS_ACCESS_KEY_ID) or credentials.file';

/**
 * Reads a storage's URL.
 *
 * @returns the fields of a storage's body, `type` among them
 * @throws AppError `invalid_argument` naming each bad parameter, above all one that carries a secret; no value is repeated
 */
export function readStorageUrl(url: string): Fields {
  const [, scheme = 'local', rest = url] = /^([A-Za-z0-9+.-]+):\/\/(.*)$/s.exec(url) ?? [];
  const kind = KINDS[scheme.toLowerCase()];
  if (!kind) throw refused('url', `must begin with one of ${Object.keys(KINDS).join('://, ')}://`);
  const [place = '', query = ''] = split(rest, '?');
  if (kind === 'local') {
    if (query) throw refused('url', 'must be a folder alone: local storages have no parameters');
    return { type: 'local', path: decoded(place) };
  }
  const [bucket = '', prefix = ''] = split(place, '/');
  if (bucket.includes('@')) throw refused('url', NAME_CREDENTIALS);
  const name = kind === 'azure' ? 'container' : 'bucket';
  return {
    type: kind,
    [name]: bucket,
    prefix: decoded(prefix).replaceAll(/^\/+|\/+$/g, ''),
    ...(scheme.toLowerCase() === 'ks3' && { provider: 'ks3-sdk' }),
    ...readParameters(kind, query),
  };
}

function readParameters(kind: 's3' | 'azure' | 'gcs', query: string): Fields {
  const violations: FieldViolation[] = [];
  const fields: Record<string, string | boolean> = {};
  // A plus is a plus to BR, not a blank (br-contract 2.2).
  for (const [given, value] of new URLSearchParams(query.replaceAll('+', '%2B'))) {
    const key = given.toLowerCase().replaceAll('_', '-');
    const field = PARAMETERS[kind][key];
    if (SECRET.includes(key)) violations.push({ field: `url.${key}`, description: NAME_CREDENTIALS });
    else if (field === undefined)
      violations.push({
        field: `url.${key.slice(0, MAX_QUOTED_NAME)}`,
        description: `is not known; known are ${Object.keys(PARAMETERS[kind]).join(', ')}`,
      });
    else if (field !== 'forcePathStyle') fields[field] = value;
    else if (TRUE.includes(value.toLowerCase())) fields[field] = true;
    else if (FALSE.includes(value.toLowerCase())) fields[field] = false;
    else violations.push({ field: `url.${key}`, description: 'must be true or false' });
  }
  if (violations.length > 0) throw invalidArgument(violations);
  return fields;
}

function split(text: string, at: string): [string, string] {
  const index = text.indexOf(at);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused('url', 'has a percent sign that begins no escape');
  }
}

function refused(field: string, description: string): Error {
  return invalidArgument([{ field, description }]);
}
