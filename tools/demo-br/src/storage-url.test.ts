import { expect, test } from 'vitest';
import { boolParameter, parseStorage, type StorageTarget } from './storage-url.ts';

test.each([
  ['local:///data/backup/2024', '/data/backup/2024'],
  ['local:///data/a%20b/', '/data/a b'],
  ['file:///data?x=1', '/data'],
  ['local://host/data', '/data'],
  ['/data/x/../y', '/data/y'],
  ['relative', `${process.cwd()}/relative`],
])('%s is the folder %s', (url, path) => {
  expect(parseStorage(url)).toEqual({ kind: 'local', path });
});

test('other storages are refused in the words of br', () => {
  expect(() => parseStorage('ftp://x/y')).toThrow(
    'storage ftp not support yet: [BR:ExternalStorage:ErrStorageInvalidConfig]invalid external storage config',
  );
  expect(() => parseStorage('')).toThrow('[BR:ExternalStorage:ErrStorageInvalidConfig]');
  expect(() => parseStorage('s3:///prefix')).toThrow('[BR:ExternalStorage:ErrStorageInvalidConfig]');
  expect(() => parseStorage('local:///a%zz')).toThrow('invalid URL escape');
});

test.each([
  ['s3://b/p/q/', 's3', 'b', 'p/q'],
  ['ks3://b//p', 's3', 'b', 'p'],
  ['gcs://b', 'gcs', 'b', ''],
  ['gs://b/p', 'gcs', 'b', 'p'],
  ['azure://c/p', 'azure', 'c', 'p'],
  ['azblob://c/p?x=/y/', 'azure', 'c', 'p'],
])('%s is of kind %s, in %s under "%s"', (url, kind, bucket, prefix) => {
  expect(parseStorage(url)).toMatchObject({ kind, bucket, prefix });
});

const parametersOf = (target: StorageTarget) => ('parameters' in target ? target.parameters : new Map());

test('query keys are read in any case with _ for -, keep their plus signs and win over flags', () => {
  const flags = new Map([
    ['s3.endpoint', ['http://flag']],
    ['s3.region', ['r']],
    ['gcs.endpoint', ['http://other']],
  ]);
  const url = 's3://b/p?Endpoint=http://query&Access_Key=a+b%2Bc&FORCE-PATH-STYLE=f&typo=1';
  expect(Object.fromEntries(parametersOf(parseStorage(url, flags)))).toEqual({
    endpoint: 'http://query',
    region: 'r',
    'access-key': 'a+b+c',
    'force-path-style': 'f',
    typo: '1',
  });
});

test('boolean parameters are those of Go', () => {
  expect(boolParameter(new Map([['x', 'T']]), 'x', false)).toBe(true);
  expect(boolParameter(new Map([['x', '0']]), 'x', true)).toBe(false);
  expect(boolParameter(new Map(), 'x', true)).toBe(true);
  expect(() => boolParameter(new Map([['x', 'yes']]), 'x', true)).toThrow('[BR:ExternalStorage:');
});
