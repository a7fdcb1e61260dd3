import { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  AzureLocation,
  GcsLocation,
  S3Location,
  Storage,
  TlsFiles,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import { isPlace, metadataArguments, resumeArguments, startArguments, statusArguments } from './command.ts';

const PATH = 'nfs/c1/log-1-a';
const local = (path: string) => Storage.create({ id: 's', location: { $case: 'local', value: { path } } });
const s3 = (fields: Partial<S3Location>) =>
  Storage.create({ id: 's', location: { $case: 's3', value: S3Location.create({ bucket: 'b', ...fields }) } });
const azure = Storage.create({
  id: 's',
  location: { $case: 'azure', value: AzureLocation.create({ container: 'c', prefix: 'team a' }) },
});
const gcs = Storage.create({ id: 's', location: { $case: 'gcs', value: GcsLocation.create({ bucket: 'b' }) } });

const cluster = Target.create({ pd: ['a:2379', 'b:2379'] });
const secured = { ...cluster, tls: TlsFiles.create({ ca: '/ca', cert: '/cert', key: '/key' }) };

describe('the command lines of a log backup', () => {
  it('ask for all tasks of a cluster, so that those of others are seen', () => {
    expect(statusArguments(cluster, 'text')).toEqual(['log', 'status', '--pd', 'a:2379,b:2379']);
    expect(statusArguments(cluster, 'json')).toEqual(['log', 'status', '--pd', 'a:2379,b:2379', '--json']);
  });

  it('have the TLS files of the cluster', () => {
    expect(resumeArguments(secured, 'n').join(' ')).toBe(
      'log resume --task-name n --pd a:2379,b:2379 --ca /ca --cert /cert --key /key',
    );
  });

  it('of a start say where the log goes, and whether TiKV gets the keys for it', () => {
    const storage = s3({ prefix: 'team/a', endpoint: 'https://minio:9000', region: 'eu-1', forcePathStyle: true });
    expect(startArguments(cluster, 'n', { storage, path: PATH }).join(' ')).toBe(
      `log start --task-name n --pd a:2379,b:2379 --storage s3://b/team/a/${PATH}?force-path-style=true --s3.endpoint https://minio:9000 --s3.region eu-1 --send-credentials-to-tikv=true`,
    );
    expect(
      startArguments(cluster, 'n', { storage: { ...storage, sendCredentialsToTikv: false }, path: PATH }),
    ).toContain('--send-credentials-to-tikv=false');
  });

  it('of the metadata name no cluster', () => {
    expect(metadataArguments({ storage: local('/backup'), path: PATH })).toEqual([
      'log',
      'metadata',
      '--storage',
      `local:///backup/${PATH}`,
    ]);
  });
});

describe('a storage as br prints it', () => {
  it.each<[string, Storage]>([
    [`local:///backup/${PATH}`, local('/backup')],
    [`file:///backup/${PATH}`, local('/backup')],
    [`local:///back%20up/${PATH}/`, local('/back up')],
    [`local:///100%25/${PATH}`, local('/100%')],
    [`s3://b/team/a/${PATH}`, s3({ prefix: 'team/a', forcePathStyle: true })],
    [`s3://b/${PATH}?endpoint=http%3A%2F%2Fminio`, s3({ endpoint: 'http://minio' })],
    [`azblob://c/team%20a/${PATH}`, azure],
    [`azure://c/team a/${PATH}`, azure],
    [`gs://b/${PATH}`, gcs],
    [`gcs://b/${PATH}`, gcs],
  ])('%s is the place', (printed, storage) => {
    expect(isPlace(printed, { storage, path: PATH })).toBe(true);
  });

  it.each<[string, Storage]>([
    [`local:///backup/nfs/c1/log-1-b`, local('/backup')],
    [`local:///backup/${PATH}/more`, local('/backup')],
    [`s3://B/${PATH}`, s3({})],
    [`gcs://b/${PATH}`, s3({})],
    [`s3://other/${PATH}`, s3({})],
    ['', s3({})],
    ['no URL', s3({})],
  ])('%j is another', (printed, storage) => {
    expect(isPlace(printed, { storage, path: PATH })).toBe(false);
  });
});
