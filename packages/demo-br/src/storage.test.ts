import { expect, test } from 'vitest';
import { parseStorage } from './storage.ts';
import { matchesFilters } from './table-filter.ts';

test.each([
  ['local:///data/backup/2024', '/data/backup/2024'],
  ['local:///data/a%20b/', '/data/a b'],
  ['file:///data?x=1', '/data'],
  ['local://host/data', '/data'],
  ['/data/x/../y', '/data/y'],
  ['relative', `${process.cwd()}/relative`],
])('%s is the folder %s', (url, path) => {
  expect(parseStorage(url)).toEqual({ path, uri: `file://${path}` });
});

test('other storages are refused in the words of br', () => {
  expect(() => parseStorage('ftp://x/y')).toThrow(
    'storage ftp not support yet: [BR:ExternalStorage:ErrStorageInvalidConfig]invalid external storage config',
  );
  expect(() => parseStorage('')).toThrow('[BR:ExternalStorage:ErrStorageInvalidConfig]');
  expect(() => parseStorage('local:///a%zz')).toThrow('invalid URL escape');
});

test('the last filter that matches decides about a table', () => {
  const orders = { db: 'shop', table: 'orders' };
  expect(matchesFilters(['*.*'], orders)).toBe(true);
  expect(matchesFilters(['SHOP.ord?rs'], orders)).toBe(true);
  expect(matchesFilters(['nosuch.*'], orders)).toBe(false);
  expect(matchesFilters(['*.*', '!shop.*'], orders)).toBe(false);
  expect(matchesFilters(['!shop.*', 'shop.orders'], orders)).toBe(true);
});
