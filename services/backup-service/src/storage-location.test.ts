import type { AppError } from '@tidemark/errors/app-error';
import {
  AzureLocation,
  type CredentialsSource,
  GcsLocation,
  S3Location,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import { checkLocation, normalizedLocation, toLocationMessage, toStoredLocation } from './storage-location.ts';
import { validation } from './validate.ts';

const s3 = (fields: Partial<S3Location> = {}, source?: CredentialsSource['source']) =>
  Storage.create({
    id: 's',
    location: { $case: 's3', value: S3Location.create({ bucket: 'backups', ...fields }) },
    ...(source && { credentials: { source } }),
  });
const azure = (fields: Partial<AzureLocation> = {}) =>
  Storage.create({ location: { $case: 'azure', value: AzureLocation.create({ container: 'backups', ...fields }) } });
const gcs = (fields: Partial<GcsLocation> = {}) =>
  Storage.create({ location: { $case: 'gcs', value: GcsLocation.create({ bucket: 'backups', ...fields }) } });
const local = (path: string, source?: CredentialsSource['source']) =>
  Storage.create({ location: { $case: 'local', value: { path } }, ...(source && { credentials: { source } }) });

const violationsOf = (storage: Storage): Record<string, string> => {
  const check = validation();
  checkLocation(check, storage);
  try {
    check.finish();
    return {};
  } catch (error) {
    const { details } = error as AppError;
    return Object.fromEntries((details.fields ?? []).map(({ field, description }) => [field, description]));
  }
};

describe('where a storage is', () => {
  it.each([
    [
      'a bucket of Amazon',
      s3({ prefix: 'team/a', region: 'eu-central-1', storageClass: 'STANDARD_IA', sse: 'AES256' }),
    ],
    ['a bucket with a key of its own', s3({ sse: 'aws:kms', sseKmsKeyId: 'arn:aws:kms:eu-1:1:key/1-2' })],
    ['a bucket elsewhere', s3({ endpoint: 'http://10.0.0.1:9000', provider: 'ceph', forcePathStyle: false })],
    ['a role', s3({ roleArn: 'arn:aws:iam::123:role/backup', externalId: 'x-1' })],
    ['named variables', s3({}, { $case: 'envPrefix', value: 'PROD_EU_' })],
    ['a named file', s3({}, { $case: 'file', value: '/etc/tidemark/prod.env' })],
    [
      'a container',
      azure({ accountName: 'account1', endpoint: 'http://127.0.0.1:10000/account1', accessTier: 'Cool' }),
    ],
    ['a bucket of Google', gcs({ prefix: 'x', storageClass: 'NEARLINE', predefinedAcl: 'private' })],
    ['a folder', local('/mnt/nfs')],
  ])('is taken: %s', (_, storage) => {
    expect(violationsOf(storage)).toEqual({});
    const stored = JSON.parse(JSON.stringify(toStoredLocation(storage))) as ReturnType<typeof toStoredLocation>;
    expect(toLocationMessage(stored)).toEqual({
      location: storage.location,
      credentials: storage.credentials,
      sendCredentialsToTikv: undefined,
    });
  });

  it.each([
    ['nothing', Storage.create({}), 'type'],
    ['no bucket', s3({ bucket: '' }), 'bucket'],
    ['a bucket with a path', s3({ bucket: 'a/b' }), 'bucket'],
    ['a prefix that leads out', s3({ prefix: 'a/../b' }), 'prefix'],
    ['a prefix with a backslash', gcs({ prefix: 'a\\b' }), 'prefix'],
    ['a prefix with an empty part', gcs({ prefix: 'a//b' }), 'prefix'],
    ['an endpoint without a scheme', s3({ endpoint: 'minio:9000' }), 'endpoint'],
    ['an endpoint with a path', s3({ endpoint: 'https://minio/x' }), 'endpoint'],
    ['another encryption', s3({ sse: 'DES' }), 'sse'],
    ['a key without its encryption', s3({ sseKmsKeyId: 'k' }), 'sseKmsKeyId'],
    ['blanks', s3({ region: 'eu 1' }), 'region'],
    ['an account of too many letters', azure({ accountName: 'Account!' }), 'accountName'],
    ['a container with capitals', azure({ container: 'Backups' }), 'container'],
    ['a prefix in small letters', s3({}, { $case: 'envPrefix', value: 'prod_' }), 'credentials.envPrefix'],
    ['a prefix without an end', s3({}, { $case: 'envPrefix', value: 'PROD' }), 'credentials.envPrefix'],
    ['a relative file', s3({}, { $case: 'file', value: 'prod.env' }), 'credentials.file'],
    ['credentials of a folder', local('/mnt', { $case: 'envPrefix', value: 'A_' }), 'credentials'],
    ['the root of the host', local('/'), 'path'],
  ])('is refused under the name of the field: %s', (_, storage, field) => {
    expect(Object.keys(violationsOf(storage))).toEqual([field]);
  });

  it.each([
    ['a bucket', s3],
    ['a container', azure],
    ['a bucket of Google', gcs],
  ])('is one and the same with slashes around the prefix and behind the endpoint: %s', (_, of) => {
    const slashes = of({ prefix: '//team/a/', endpoint: 'https://minio:9000//' }).location;
    expect(normalizedLocation(slashes)).toEqual(of({ prefix: 'team/a', endpoint: 'https://minio:9000' }).location);
    expect(normalizedLocation(of().location)).toEqual(of().location);
    for (const kept of [local('/mnt/a/').location, undefined]) expect(normalizedLocation(kept)).toEqual(kept);
  });

  it.each(['https://id:hush@minio:9000', 'https://minio:9000?secret-access-key=hush', 'https://minio:9000#hush'])(
    'must not carry credentials (D1): %s',
    (endpoint) => {
      for (const storage of [s3({ endpoint }), azure({ endpoint }), gcs({ endpoint })]) {
        const violations = violationsOf(storage);
        expect(violations).toEqual({ endpoint: expect.stringContaining('credentials.envPrefix') });
        expect(JSON.stringify(violations)).not.toContain('hush');
      }
    },
  );
});
