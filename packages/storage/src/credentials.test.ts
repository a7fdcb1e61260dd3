import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AzureLocation,
  GcsLocation,
  S3Location,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { secretsOf, storageCredentials } from './credentials.ts';

type Source = NonNullable<NonNullable<Storage['credentials']>['source']>;

const location = {
  s3: { $case: 's3' as const, value: S3Location.create({ bucket: 'b' }) },
  azure: { $case: 'azure' as const, value: AzureLocation.create({ container: 'b' }) },
  gcs: { $case: 'gcs' as const, value: GcsLocation.create({ bucket: 'b' }) },
  local: { $case: 'local' as const, value: { path: '/b' } },
};
const storage = (kind: keyof typeof location, source?: Source) =>
  Storage.create({ id: 's', location: location[kind], credentials: source && { source } });

describe('credentials from the worker’s environment', () => {
  const env = {
    AWS_ACCESS_KEY_ID: 'own',
    AWS_SECRET_ACCESS_KEY: 'own-secret',
    PROD_AWS_ACCESS_KEY_ID: 'prod',
    PROD_AWS_SECRET_ACCESS_KEY: 'prod-secret',
    HALF_AWS_ACCESS_KEY_ID: 'half',
    GOOGLE_APPLICATION_CREDENTIALS: '/key.json',
    TIDEMARK_SERVICE_TOKEN: 'never',
    AWS_SOMETHING_ELSE: 'never',
  };
  it('are those of this kind of storage, and nothing else', async () => {
    expect(await storageCredentials(storage('s3'), env)).toEqual({
      AWS_ACCESS_KEY_ID: 'own',
      AWS_SECRET_ACCESS_KEY: 'own-secret',
    });
    expect(await storageCredentials(storage('gcs'), env)).toEqual({ GOOGLE_APPLICATION_CREDENTIALS: '/key.json' });
    expect(await storageCredentials(storage('azure'), env)).toEqual({});
    expect(await storageCredentials(storage('local', { $case: 'envPrefix', value: 'PROD_' }), env)).toEqual({});
  });
  it('come with the prefix that the storage names, and never without it', async () => {
    const source: Source = { $case: 'envPrefix', value: 'PROD_' };
    expect(await storageCredentials(storage('s3', source), env)).toEqual({
      AWS_ACCESS_KEY_ID: 'prod',
      AWS_SECRET_ACCESS_KEY: 'prod-secret',
    });
    await expect(storageCredentials(storage('gcs', source), env)).rejects.toMatchObject({
      code: 'storage_unusable',
      message:
        'The storage’s credentials are not in this worker’s environment, which has none of PROD_GOOGLE_APPLICATION_CREDENTIALS.',
    });
  });
  it('are refused when one key is there without the other, which is named, and no value is', async () => {
    const half = storageCredentials(storage('s3', { $case: 'envPrefix', value: 'HALF_' }), env);
    await expect(half).rejects.toMatchObject({
      code: 'storage_unusable',
      message:
        'The storage’s credentials are not complete: this worker’s environment has HALF_AWS_ACCESS_KEY_ID without HALF_AWS_SECRET_ACCESS_KEY.',
    });
    const lone = { AZURE_CLIENT_SECRET: 'hush', AZURE_CLIENT_ID: 'id' };
    await expect(storageCredentials(storage('azure'), lone)).rejects.toThrow(
      'has AZURE_CLIENT_SECRET without AZURE_TENANT_ID.',
    );
  });
});

describe('credentials from a file', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-credentials-'));
    file = join(folder, 'prod.env');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const read = () => storageCredentials(storage('s3', { $case: 'file', value: file }), { AWS_PROFILE: 'own' });

  it('are its lines, without what the storage has no use for', async () => {
    writeFileSync(file, '# prod\nAWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY="a b#c"\nPATH=/evil\n', { mode: 0o600 });
    expect(await read()).toEqual({ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'a b#c' });
  });
  it('are refused in the same words whether they are missing, readable for others, not whole or none', async () => {
    const told = async (content?: string, mode = 0o600) => {
      rmSync(file, { force: true });
      if (content !== undefined) writeFileSync(file, content, { mode });
      return String(await read().catch((caught: unknown) => caught));
    };
    const missing = await told();
    expect(missing).toContain('others cannot (chmod 600)');
    expect(missing).toContain('AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY');
    expect(await told('AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=hush\n', 0o644)).toBe(missing);
    expect(await told('AWS_ACCESS_KEY_ID=id\n')).toBe(missing);
    expect(await told('AZURE_STORAGE_KEY=hush\n')).toBe(missing);
    expect(await told(`AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=hush\n${'#'.repeat(16_384)}`)).toBe(missing);
  });
  it('may be readable for the worker’s own group, as Kubernetes mounts them', async () => {
    writeFileSync(file, 'AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=hush\n', { mode: 0o600 });
    chmodSync(file, 0o440);
    expect(await read()).toMatchObject({ AWS_ACCESS_KEY_ID: 'id' });
  });
  it('lie below the folder for secrets, also where links lead', async () => {
    const source: Source = { $case: 'file', value: file };
    const below = (name: string) =>
      storageCredentials(storage('s3', source), { TIDEMARK_SECRETS_DIR: join(folder, name) });
    mkdirSync(join(folder, '..data'));
    mkdirSync(join(folder, 'other'));
    writeFileSync(join(folder, '..data', 'aws'), 'AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=hush\n', { mode: 0o600 });
    symlinkSync('..data/aws', file);
    expect(await below('.')).toMatchObject({ AWS_ACCESS_KEY_ID: 'id' });
    expect(await below('..data')).toMatchObject({ AWS_ACCESS_KEY_ID: 'id' });
    await expect(below('other')).rejects.toMatchObject({ code: 'storage_unusable' });
  });
});

it('tells secrets from what may be printed', () => {
  expect(
    secretsOf({
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: 'token',
      AWS_ROLE_ARN: 'arn',
      AZURE_STORAGE_KEY: 'key',
      AZURE_CLIENT_ID: 'client',
      AZURE_FEDERATED_TOKEN_FILE: '/file',
    }).sort(),
  ).toEqual(['key', 'secret', 'token']);
});
