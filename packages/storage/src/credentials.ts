import { parseEnv } from 'node:util';
import { AppError } from '@tidemark/errors/app-error';
import { MAX_SECRET_FILE_BYTES } from '@tidemark/limits/limits';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import { mustBe, secretsFolder, useFile } from './secret-file.ts';

/** Credentials as the variables that `br` and the vendors' libraries know. */
export type Credentials = Readonly<Record<string, string>>;

type Kind = NonNullable<Storage['location']>['$case'];

const VARIABLES: Readonly<Record<Kind, readonly string[]>> = {
  local: [],
  s3: [
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
    'AWS_SHARED_CREDENTIALS_FILE',
    'AWS_CONFIG_FILE',
    'AWS_PROFILE',
    'AWS_ROLE_ARN',
    'AWS_ROLE_SESSION_NAME',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
  ],
  azure: [
    'AZURE_STORAGE_ACCOUNT',
    'AZURE_STORAGE_KEY',
    'AZURE_CLIENT_ID',
    'AZURE_TENANT_ID',
    'AZURE_CLIENT_SECRET',
    'AZURE_FEDERATED_TOKEN_FILE',
    'AZURE_AUTHORITY_HOST',
    'AZURE_ENCRYPTION_KEY',
  ],
  gcs: ['GOOGLE_APPLICATION_CREDENTIALS'],
};

/** What is of no use without the others. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  AWS_ACCESS_KEY_ID: ['AWS_SECRET_ACCESS_KEY'],
  AWS_SECRET_ACCESS_KEY: ['AWS_ACCESS_KEY_ID'],
  AWS_SESSION_TOKEN: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
  AWS_WEB_IDENTITY_TOKEN_FILE: ['AWS_ROLE_ARN'],
  AZURE_CLIENT_SECRET: ['AZURE_CLIENT_ID', 'AZURE_TENANT_ID'],
  AZURE_FEDERATED_TOKEN_FILE: ['AZURE_CLIENT_ID', 'AZURE_TENANT_ID'],
};

const SECRETS = [
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
  'AZURE_STORAGE_KEY',
  'AZURE_CLIENT_SECRET',
  'AZURE_ENCRYPTION_KEY',
];

/** A file of credentials is small: it is there within this, or its server is away. */
const READ_MS = 10_000;

const unusable = (message: string) => new AppError('storage_unusable', message);

/**
 * The credentials of a storage, from where it says; a storage that names no source gets what the worker itself has,
 * which may be nothing: then its role counts.
 *
 * @param env of this worker
 * @param signal ends the reading of a file; left out, it ends after 10 s
 * @throws AppError `storage_unusable` naming the variables that were looked for, never a value; for a file always the same,
 *   whether it is missing, unreadable or unfit
 */
export async function storageCredentials(
  storage: Storage,
  env: Env,
  signal: AbortSignal = AbortSignal.timeout(READ_MS),
): Promise<Credentials> {
  const known = storage.location ? VARIABLES[storage.location.$case] : [];
  const source = storage.credentials?.source;
  if (known.length === 0) return {};
  if (source === undefined) return complete(pick(known, env), '', 'this worker’s environment');
  if (source.$case === 'file') {
    const rules = { folder: secretsFolder(env), maxBytes: MAX_SECRET_FILE_BYTES, readers: 'worker' as const };
    const must = `${mustBe(rules)} and holds the credentials whole, as lines NAME=value of ${known.join(', ')}`;
    return useFile(source.value, { ...rules, must }, signal, (content) => {
      const found = pick(known, parseEnv(content.toString('utf8')));
      return Object.keys(found).length > 0 && missingOf(found).length === 0 ? found : undefined;
    });
  }
  const prefix = source.value;
  const place = 'this worker’s environment';
  const found = pick(known, Object.fromEntries(known.map((name) => [name, env[prefix + name]])));
  return complete(requireAny(found, known, prefix, place), prefix, place);
}

/** The values among the credentials that must never be printed: no names of files, ids or roles. */
export function secretsOf(credentials: Credentials): string[] {
  return SECRETS.flatMap((name) => credentials[name] ?? []);
}

function pick(known: readonly string[], variables: Env): Credentials {
  return Object.fromEntries(
    known.flatMap((name) => {
      const value = variables[name]?.trim();
      return value ? [[name, value]] : [];
    }),
  );
}

function requireAny(found: Credentials, known: readonly string[], prefix: string, place: string): Credentials {
  if (Object.keys(found).length > 0) return found;
  const names = known.map((name) => prefix + name).join(', ');
  throw unusable(`The storage’s credentials are not in ${place}, which has none of ${names}.`);
}

function complete(found: Credentials, prefix: string, place: string): Credentials {
  const [first] = missingOf(found);
  if (!first) return found;
  const names = first.missing.map((other) => prefix + other).join(' and ');
  throw unusable(`The storage’s credentials are not complete: ${place} has ${prefix}${first.name} without ${names}.`);
}

function missingOf(found: Credentials): { readonly name: string; readonly missing: readonly string[] }[] {
  return Object.keys(found).flatMap((name) => {
    const missing = NEEDS[name]?.filter((other) => found[other] === undefined) ?? [];
    return missing.length > 0 ? [{ name, missing }] : [];
  });
}
