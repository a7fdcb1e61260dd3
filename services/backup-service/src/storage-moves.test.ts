/** What a worker is granted for a backup: where its files are, and how to get in today. */
import { AzureLocation, GcsLocation, S3Location } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import type { StorageLocation, StorageSnapshot } from './backup.ts';
import { enteredAs, placeOf, titleOf } from './storage-location.ts';
import { follow, located, type Move } from './storage-moves.ts';

const s3 = (fields: Partial<S3Location> = {}, more: StorageLocation = {}): StorageLocation => ({
  s3: S3Location.create({ bucket: 'b', ...fields }),
  ...more,
});
const azure = (fields: Partial<AzureLocation> = {}, more: StorageLocation = {}): StorageLocation => ({
  azure: AzureLocation.create({ container: 'c', ...fields }),
  ...more,
});
const gcs = (fields: Partial<GcsLocation> = {}, more: StorageLocation = {}): StorageLocation => ({
  gcs: GcsLocation.create({ bucket: 'b', ...fields }),
  ...more,
});
const OLD = { credentials: { envPrefix: 'OLD_' }, sendCredentialsToTikv: false };
const NEW = { credentials: { file: '/etc/tidemark/new.env' } };

describe('a storage that is the same place as registered today', () => {
  it.each<readonly [string, StorageLocation, StorageLocation, StorageLocation]>([
    ['s3: credentials', s3({}, OLD), s3({}, NEW), s3({}, NEW)],
    ['s3: without credentials today', s3({}, OLD), s3(), s3()],
    ['s3: whether TiKV gets them', s3(), s3({}, OLD), s3({}, OLD)],
    ['s3: a region for Amazon', s3(), s3({ region: 'eu-1' }), s3({ region: 'eu-1' })],
    ['s3: no region any more', s3({ region: 'eu-1' }), s3(), s3()],
    [
      's3: provider, style, role and its external id',
      s3({ provider: 'ceph', forcePathStyle: true, roleArn: 'arn:1', externalId: 'x1' }),
      s3({ provider: 'aws', roleArn: 'arn:2', externalId: 'x2' }),
      s3({ provider: 'aws', roleArn: 'arn:2', externalId: 'x2' }),
    ],
    [
      's3: an endpoint in other words',
      s3({ endpoint: 'https://Minio.example:443/' }, OLD),
      s3({ endpoint: 'https://minio.example' }, NEW),
      s3({ endpoint: 'https://Minio.example:443/' }, NEW),
    ],
    [
      's3: not what counts for what is written',
      s3({ storageClass: 'STANDARD_IA', sse: 'aws:kms', sseKmsKeyId: 'k1', acl: 'private' }, OLD),
      s3({ storageClass: 'GLACIER', sse: 'AES256', acl: 'public-read' }, NEW),
      s3({ storageClass: 'STANDARD_IA', sse: 'aws:kms', sseKmsKeyId: 'k1', acl: 'private' }, NEW),
    ],
    [
      'azure: credentials, and not tier and scope',
      azure({ accountName: 'acc', accessTier: 'Cool', encryptionScope: 'e1' }, OLD),
      azure({ accountName: 'acc', accessTier: 'Hot', encryptionScope: 'e2' }, NEW),
      azure({ accountName: 'acc', accessTier: 'Cool', encryptionScope: 'e1' }, NEW),
    ],
    [
      'gcs: credentials, and not class and acl',
      gcs({ prefix: 'p', storageClass: 'NEARLINE', predefinedAcl: 'private' }, OLD),
      gcs({ prefix: 'p', storageClass: 'COLDLINE', predefinedAcl: 'publicRead' }, NEW),
      gcs({ prefix: 'p', storageClass: 'NEARLINE', predefinedAcl: 'private' }, NEW),
    ],
    [
      'local: there is nothing but the folder',
      { local: { path: '/a' } },
      { local: { path: '/a' } },
      { local: { path: '/a' } },
    ],
  ])('is entered as it is registered: %s', (_, recorded, registered, granted) => {
    const before = structuredClone(recorded);
    expect(enteredAs(recorded, registered)).toEqual(granted);
    expect(recorded, 'and the record is not touched').toEqual(before);
  });

  it('keeps the id and the limit of the snapshot', () => {
    const snapshot = { id: 's', maxConcurrent: 3, ...s3({}, OLD) };
    expect(enteredAs(snapshot, s3({}, NEW))).toEqual({ id: 's', maxConcurrent: 3, ...s3({}, NEW) });
  });
});

describe('a storage that is another place than registered today, or is not registered', () => {
  it.each<readonly [string, StorageLocation, StorageLocation | undefined]>([
    ['not registered', s3({}, OLD), undefined],
    ['another type', s3({}, OLD), gcs({}, NEW)],
    ['s3: another bucket', s3({}, OLD), s3({ bucket: 'other' }, NEW)],
    ['s3: another prefix', s3({ prefix: 'a' }, OLD), s3({ prefix: 'b' }, NEW)],
    ['s3: another endpoint', s3({ endpoint: 'http://a:9000' }, OLD), s3({ endpoint: 'http://a:9001' }, NEW)],
    ['s3: Amazon and another', s3({ region: 'eu-1' }, OLD), s3({ endpoint: 'http://a:9000', region: 'eu-1' }, NEW)],
    ['azure: another account', azure({ accountName: 'one' }, OLD), azure({ accountName: 'two' }, NEW)],
    ['azure: another container', azure({}, OLD), azure({ container: 'other' }, NEW)],
    ['azure: another endpoint', azure({ endpoint: 'http://a/acc' }, OLD), azure({ endpoint: 'http://a/other' }, NEW)],
    ['gcs: another bucket', gcs({}, OLD), gcs({ bucket: 'other' }, NEW)],
    ['gcs: another endpoint', gcs({}, OLD), gcs({ endpoint: 'http://a' }, NEW)],
    ['local: another folder', { local: { path: '/a' } }, { local: { path: '/b' } }],
  ])('is granted as it is on record: %s', (_, recorded, registered) => {
    expect(enteredAs(recorded, registered)).toBe(recorded);
  });
});

describe('a backup', () => {
  const ROOT = 'nfs/em/backup';
  const at = (seconds: number) => new Date(seconds * 1_000);
  const [A, B, C] = ['a', 'b', 'c'].map((bucket) => s3({ bucket }, OLD)) as [
    StorageLocation,
    StorageLocation,
    StorageLocation,
  ];
  const backup = (where: StorageLocation, accepted: number, root = ROOT, takenAt?: Date) => ({
    storage: { id: 's', maxConcurrent: 2, ...where, ...(takenAt && { takenAt }) } as StorageSnapshot,
    basePath: `${root}/c1/p`,
    createTime: at(accepted),
  });
  const move = (from: StorageLocation, to: StorageLocation, seconds: number, root = ROOT) =>
    [placeOf(from, root), { storage: to, at: at(seconds), check: 'c' } satisfies Move] as const;
  const moves = (...all: ReturnType<typeof move>[]) =>
    new Map([...Map.groupBy(all, ([place]) => place)].map(([place, each]) => [place, each.map(([, one]) => one)]));
  const bucketOf = ({ s3: location }: StorageLocation) => location?.bucket;

  it('is where it was, while nothing was moved', () => {
    const one = backup(A, 1);
    expect(located(one, new Map())).toBe(one.storage);
    expect(located(one, moves(move(B, C, 5)))).toBe(one.storage);
  });

  it('follows its storage, with id and limit of its snapshot, under its own path', () => {
    expect(located(backup(A, 1), moves(move(A, B, 5)))).toEqual({ id: 's', maxConcurrent: 2, ...B });
    expect(bucketOf(located(backup(A, 1), moves(move(A, B, 5), move(B, C, 9))))).toBe('c');
  });

  it('is known to have been where it was before, and since when it is where it is', () => {
    const all = moves(move(A, B, 5), move(B, C, 9));
    const { movedAt, before } = follow(backup(A, 1), all);
    expect([movedAt, before.map(bucketOf)]).toEqual([at(9), ['a', 'b']]);
    expect(follow(backup(C, 1), all)).toMatchObject({ movedAt: undefined, before: [] });
  });

  it('follows only what was moved after it was made', () => {
    const all = moves(move(A, B, 5));
    expect(bucketOf(located(backup(A, 4), all))).toBe('b');
    expect(bucketOf(located(backup(A, 6), all)), 'the place was registered again').toBe('a');
    expect(bucketOf(located(backup(A, 1, ROOT, at(6)), all)), 'a record that was rebuilt from there later').toBe('a');
  });

  it('comes to an end where a storage was moved back and forth', () => {
    const all = moves(move(A, B, 5), move(B, A, 10), move(A, B, 15), move(B, C, 20), move(C, A, 25));
    expect(bucketOf(located(backup(A, 1), all))).toBe('a');
    expect(bucketOf(located(backup(B, 12), all))).toBe('a');
    expect(bucketOf(located(backup(A, 16), all))).toBe('a');
    expect(bucketOf(located(backup(C, 26), all))).toBe('c');
    expect(bucketOf(located(backup(A, 1), moves(move(A, B, 5), move(B, A, 5))))).toBe('b');
  });

  it('is of the place with the root that its path has', () => {
    const all = moves(move(A, B, 5, 'old/root'));
    expect(bucketOf(located(backup(A, 1, 'old/root'), all))).toBe('b');
    expect(bucketOf(located(backup(A, 1), all))).toBe('a');
  });
});

it('names a place in words', () => {
  expect(
    [{ local: { path: '/mnt/a' } }, s3({ prefix: 'p/q', endpoint: 'http://a:1' }), gcs(), {}].map(titleOf),
  ).toEqual(['/mnt/a', 's3://b/p/q at http://a:1', 'gcs://b', 'an unknown place']);
  expect(titleOf(azure({ accountName: 'acc', endpoint: 'http://a' }))).toBe('azure://c of account acc at http://a');
});
