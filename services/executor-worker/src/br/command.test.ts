import { storageUrl } from '@tidemark/br-options/command-line';
import { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  AzureLocation,
  BrOptions,
  GcsLocation,
  S3Location,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import { backupArguments, brEnvironment } from './command.ts';

const local = (path: string) => Storage.create({ id: 's', location: { $case: 'local', value: { path } } });
const s3 = (fields: Partial<S3Location>) =>
  Storage.create({ id: 's', location: { $case: 's3', value: S3Location.create({ bucket: 'b', ...fields }) } });
const target = (fields: Partial<Target> = {}) => Target.create({ pd: ['a:2379'], ...fields });
const options = (fields: Partial<BrOptions>) => target({ brOptions: BrOptions.create(fields) });

describe('the command line', () => {
  it('of a plain cluster says every default that changes between versions', () => {
    expect(backupArguments(target({ pd: ['a:2379', 'b:2379'] }), local('/mnt/backup'), 'nfs/c1/p')).toEqual([
      'backup',
      'full',
      '--pd',
      'a:2379,b:2379',
      '--storage',
      'local:///mnt/backup/nfs/c1/p',
      '--checksum=false',
      '--log-level',
      'info',
      '--send-credentials-to-tikv=true',
      '--status-addr',
      '127.0.0.1:0',
    ]);
  });

  it('has TLS, and every option of the cluster', () => {
    const args = backupArguments(
      target({
        tls: { ca: '/ca', cert: '/cert', key: '/key' },
        brOptions: BrOptions.create({
          rateLimit: 128,
          concurrency: 8,
          compression: 'lz4',
          filters: ['shop.*', '!shop.tmp'],
          checksum: true,
          crypterMethod: 'aes256-ctr',
          crypterKeyFile: '/keys/k1',
          extra: { 'use-checkpoint': 'true', gcttl: '3600' },
        }),
      }),
      local('/mnt'),
      'p',
    );
    expect(args).toContain('--checksum=true');
    expect(args.slice(args.indexOf('--ca')).join(' ')).toBe(
      '--ca /ca --cert /cert --key /key --ratelimit 128 --concurrency 8 --compression lz4 --filter shop.* --filter !shop.tmp --crypter.method aes256-ctr --crypter.key-file /keys/k1 --gcttl=3600 --use-checkpoint=true',
    );
  });

  it('is the same to the byte whatever the order in which options were stored', () => {
    const one = options({ extra: { a: '1', b: '2' } });
    const other = options({ extra: { b: '2', a: '1' } });
    expect(backupArguments(one, local('/m'), 'p')).toEqual(backupArguments(other, local('/m'), 'p'));
  });

  it('leaves the credentials to TiKV itself where the storage says so', () => {
    const storage = { ...s3({}), sendCredentialsToTikv: false };
    expect(backupArguments(target(), storage, 'p')).toContain('--send-credentials-to-tikv=false');
  });

  it('of an S3 store has its flags, and in its URL only what BR reads nowhere else', () => {
    const args = backupArguments(
      target(),
      s3({
        prefix: 'team/a',
        endpoint: 'https://minio:9000',
        region: 'eu-1',
        provider: 'ceph',
        storageClass: 'STANDARD_IA',
        sse: 'aws:kms',
        sseKmsKeyId: 'k',
        acl: 'private',
        forcePathStyle: false,
        roleArn: 'arn:aws:iam::1:role/r',
        externalId: 'x',
      }),
      'nfs/c1/p',
    );
    expect(args.slice(4, 24).join(' ')).toBe(
      '--storage s3://b/team/a/nfs/c1/p?force-path-style=false --s3.endpoint https://minio:9000 --s3.region eu-1 --s3.provider ceph --s3.storage-class STANDARD_IA --s3.sse aws:kms --s3.sse-kms-key-id k --s3.acl private --s3.role-arn arn:aws:iam::1:role/r --s3.external-id x',
    );
  });

  it('of Azure and of Google has theirs', () => {
    const azure = Storage.create({
      location: {
        $case: 'azure',
        value: AzureLocation.create({ container: 'c', prefix: 'p', accountName: 'acc', accessTier: 'Cool' }),
      },
    });
    const gcs = Storage.create({
      location: {
        $case: 'gcs',
        value: GcsLocation.create({ bucket: 'g', endpoint: 'http://127.0.0.1:1', storageClass: 'NEARLINE' }),
      },
    });
    expect(backupArguments(target(), azure, 'x/y').slice(4, 10).join(' ')).toBe(
      '--storage azure://c/p/x/y --azblob.account-name acc --azblob.access-tier Cool',
    );
    expect(backupArguments(target(), gcs, 'x/y').slice(4, 10).join(' ')).toBe(
      '--storage gcs://g/x/y --gcs.endpoint http://127.0.0.1:1 --gcs.storage-class NEARLINE',
    );
  });

  it('escapes what a URL cannot hold', () => {
    expect(storageUrl(local('/mnt/my backup?#'), 'c1/p')).toBe('local:///mnt/my%20backup%3F%23/c1/p');
  });
});

describe('the environment', () => {
  it('is an allow-list with the credentials of the storage: nothing of the worker’s own secrets', () => {
    const worker = {
      PATH: '/bin',
      TIDEMARK_AMQP_URL: 'amqp://u:hush@h',
      TIDEMARK_SERVICE_TOKEN: 'hush',
      https_proxy: 'http://proxy:3128',
    };
    expect(brEnvironment(worker, '/tmp/run', { AWS_ACCESS_KEY_ID: 'id' })).toEqual({
      PATH: '/bin',
      https_proxy: 'http://proxy:3128',
      AWS_ACCESS_KEY_ID: 'id',
      TMPDIR: '/tmp/run',
      BR_LOG_TO_TERM: '1',
    });
  });

  it('cannot be told by credentials to log elsewhere', () => {
    expect(brEnvironment({}, '/t', { BR_LOG_TO_TERM: '', TMPDIR: '/x' })).toMatchObject({
      TMPDIR: '/t',
      BR_LOG_TO_TERM: '1',
    });
  });
});
