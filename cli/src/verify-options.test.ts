import { parseArgs } from 'node:util';
import { expect, it } from 'vitest';
import { UsageError } from './exit.ts';
import { parseStorageAddress } from './storage-address.ts';
import { toWanted } from './verify-options.ts';

const TEXTS = [
  'storage',
  'path',
  'level',
  'sample',
  'rate-limit',
  'files-at-once',
  'crypter-method',
  'crypter-key-file',
];
const OPTIONS = {
  ...Object.fromEntries(TEXTS.map((name) => [name, { type: 'string' as const }])),
  'public-key': { type: 'string' as const, multiple: true },
  json: { type: 'boolean' as const },
};
/** The options as the program names them. */
const parse = (...args: string[]) => {
  const { values } = parseArgs({ args, options: OPTIONS });
  const camel = (name: string) => name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  return toWanted(Object.fromEntries(Object.entries(values).map(([name, value]) => [camel(name), value])), '/here');
};
const verify = (...args: string[]) => parse('--storage', '/mnt/backup', '--path', 'c1/p', ...args);

it('reads every byte unless told otherwise', () => {
  expect(verify()).toMatchObject({ level: 'bytes', sample: 1, filesAtOnce: 4, json: false, path: 'c1/p' });
  expect(verify('--level', 'meta', '--json')).toMatchObject({ level: 'meta', json: true });
  expect(verify('--sample', '0.1', '--rate-limit', '2', '--files-at-once', '8')).toMatchObject({
    sample: 0.1,
    bytesPerSecond: 2 * 1_024 * 1_024,
    filesAtOnce: 8,
  });
  expect(verify('--crypter-method', 'aes256-ctr', '--crypter-key-file', 'key')).toMatchObject({
    crypter: { method: 'aes256-ctr', keyFile: '/here/key' },
  });
  expect(verify('--public-key', 'a.pub', '--public-key', '/keys/b.pub')).toMatchObject({
    publicKeys: ['/here/a.pub', '/keys/b.pub'],
  });
});

it.each([
  [['--path', 'c/p'], /--storage <address> must say/],
  [['--storage', '/b'], /--path <path> must name a backup/],
  [['--storage', '/b', '--path', 'c/p', '--level', 'all'], /--level is bytes or meta; "all" is not/],
  [['--storage', '/b', '--path', 'c/p', '--sample', '0'], /--sample is a part from 0.000001 to 1; "0" is not/],
  [['--storage', '/b', '--path', 'c/p', '--sample', '1e-9'], /--sample is a part from 0.000001 to 1/],
  [['--storage', '/b', '--path', 'c/p', '--rate-limit', 'fast'], /--rate-limit is MiB per second/],
  [['--storage', '/b', '--path', 'c/p', '--files-at-once', '65'], /--files-at-once is a number from 1 to 64/],
  [['--storage', '/b', '--path', 'c/p', '--level', 'meta', '--sample', '0.5'], /--sample says nothing to --level meta/],
  [['--storage', '/b', '--path', 'c/p', '--crypter-method', 'aes128-ctr'], /belong together/],
  [['--storage', '/b', '--path', 'c/p', '--crypter-method', 'des', '--crypter-key-file', 'k'], /is one of aes128-ctr/],
  [
    ['--storage', '/b', '--path', 'c/p', ...Array(9).fill('--public-key=k')],
    /--public-key can be given at most 8 times/,
  ],
])('says what is wrong with %j', (args, sentence) => {
  expect(() => parse(...args)).toThrow(UsageError);
  expect(() => parse(...args)).toThrow(sentence);
});

it.each([
  ['/mnt/backup', { $case: 'local', value: { path: '/mnt/backup' } }],
  ['local:///mnt/backup', { $case: 'local', value: { path: '/mnt/backup' } }],
  [
    's3://b/some/where/?endpoint=https://minio:9000&region=eu&Force_Path_Style=false',
    {
      $case: 's3',
      value: { bucket: 'b', prefix: 'some/where', endpoint: 'https://minio:9000', region: 'eu', forcePathStyle: false },
    },
  ],
  ['gs://b', { $case: 'gcs', value: { bucket: 'b', prefix: '' } }],
  ['azblob://c/p?account-name=a', { $case: 'azure', value: { container: 'c', prefix: 'p', accountName: 'a' } }],
])('takes %s for a storage, as br does', (text, location) => {
  expect(parseStorageAddress(text)).toMatchObject({ location });
});

it.each([
  ['backup', /neither an absolute folder nor a URL/],
  ['local://mnt/backup', /must have three slashes/],
  ['s3:///prefix', /names no bucket/],
  ['hdfs://b/p', /"hdfs:\/\/" is no kind of storage/],
  ['s3://b?endpiont=x', /has a parameter "endpiont"/],
  ['s3://b?secret-access-key=never-tell', /give AWS_SECRET_ACCESS_KEY in the environment/],
  ['azure://c?sas_token=never-tell', /A SAS token is not taken/],
])('does not take %s, and tells no secret of it', (text, sentence) => {
  expect(() => parseStorageAddress(text)).toThrow(sentence);
  expect(() => parseStorageAddress(text)).not.toThrow(/never-tell/);
});
