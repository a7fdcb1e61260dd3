import type { AppError } from '@tidemark/errors/app-error';
import { describe, expect, it } from 'vitest';
import { readStorageUrl } from './storage-url.ts';

const refusalOf = (url: string): AppError => {
  try {
    readStorageUrl(url);
  } catch (error) {
    return error as AppError;
  }
  throw new Error(`${url} was taken`);
};

describe('a storage’s URL', () => {
  it.each([
    ['local:///data/my%20backups', { type: 'local', path: '/data/my backups' }],
    ['file:///data', { type: 'local', path: '/data' }],
    ['/data/backups', { type: 'local', path: '/data/backups' }],
    ['s3://b', { type: 's3', bucket: 'b', prefix: '' }],
    ['s3://b/x/y/', { type: 's3', bucket: 'b', prefix: 'x/y' }],
    [
      'S3://b/x?SSE=AES256&Role_ARN=arn:aws:iam::1:role/r',
      { type: 's3', bucket: 'b', prefix: 'x', sse: 'AES256', roleArn: 'arn:aws:iam::1:role/r' },
    ],
    ['ks3://b/x', { type: 's3', bucket: 'b', prefix: 'x', provider: 'ks3-sdk' }],
    ['gs://b/x?predefined-acl=private', { type: 'gcs', bucket: 'b', prefix: 'x', predefinedAcl: 'private' }],
    ['azblob://c/x?account-name=acc', { type: 'azure', container: 'c', prefix: 'x', accountName: 'acc' }],
  ])('%s is read as BR reads it', (url, fields) => {
    expect(readStorageUrl(url)).toEqual(fields);
  });

  it.each([
    ['s3://b/x?access-key=AKIA&secret-access-key=hush', ['url.access-key', 'url.secret-access-key']],
    ['s3://b/x?Secret_Access_Key=hush', ['url.secret-access-key']],
    ['s3://b?session-token=hush', ['url.session-token']],
    ['azure://c?account-key=hush', ['url.account-key']],
    ['azure://c?sas-token=hush%26sig', ['url.sas-token']],
    ['gcs://b?credentials-file=/hush.json', ['url.credentials-file']],
    ['s3://AKIA:hush@b/x', ['url']],
  ])('that carries credentials is refused with the way to do it right, and not repeated: %s', (url, fields) => {
    const { message, details } = refusalOf(url);
    expect(details.fields?.map(({ field }) => field)).toEqual(fields);
    expect(details.fields?.[0]?.description).toContain('credentials.envPrefix');
    expect(`${message} ${JSON.stringify(details)}`).not.toMatch(/hush|AKIA:/);
  });

  it.each([
    ['s3://b?regoin=eu', 'url.regoin', 'known are endpoint'],
    ['s3://b?force-path-style=perhaps', 'url.force-path-style', 'true or false'],
    ['gcs://b?region=eu', 'url.region', 'known are endpoint'],
    ['local:///a?x=1', 'url', 'no parameters'],
    ['hdfs://n/a', 'url', 's3://'],
    ['noop://', 'url', 's3://'],
    ['s3://b/%zz', 'url', 'percent'],
  ])('with a mistake that BR would overlook is refused: %s', (url, field, why) => {
    expect(refusalOf(url).details.fields).toEqual([{ field, description: expect.stringContaining(why) }]);
  });
});
