import { expect, test } from 'vitest';
import { matchesDatabase, matchesFilters, parseFilters, quoted } from './table-filter.ts';

const ORDERS = { db: 'shop', table: 'orders' };

test.each([
  [['*.*'], true],
  [['SHOP.ord?rs'], true],
  [['shop.[a-o]*'], true],
  [['shop.[!a-o]*'], false],
  [['shop.[^o]rders'], true],
  [['"shop".`orders`'], true],
  [['/^sh/./^or/'], true],
  [['nosuch.*'], false],
  [['*.*', '!shop.*'], false],
  [['!shop.*', 'shop.orders'], true],
  [['shop.orders', '!shop.*'], false],
  [['# all', ' shop.* '], true],
])('of %j the last rule that matches decides about a table', (filters, lets) => {
  expect(matchesFilters(filters, ORDERS)).toBe(lets);
});

test('a rule is about its database, whatever it says of tables, unless it takes all of them away', () => {
  expect(matchesDatabase(['shop.nosuch'], 'shop')).toBe(true);
  expect(matchesDatabase(['shop.*', '!shop.orders'], 'shop')).toBe(true);
  expect(matchesDatabase(['shop.*', '!shop.*'], 'shop')).toBe(false);
  expect(matchesDatabase(['crm.*'], 'shop')).toBe(false);
});

test('a name between quotes may be anything', () => {
  expect(matchesFilters([`${quoted('my-db')}.${quoted('a.`b`*')}`], { db: 'my-db', table: 'a.`b`*' })).toBe(true);
  expect(matchesFilters([`${quoted('my-db')}.${quoted('a*')}`], { db: 'my-db', table: 'ab' })).toBe(false);
});

test.each([
  ['shop', 'wrong table pattern'],
  ['shop.', 'syntax error: missing pattern'],
  ['a.b.c', 'syntax error: stray characters after table pattern'],
  ['`a`b.c', "syntax error: missing '.' between schema and table patterns"],
  ['my-db.*', "unexpected special character '-'"],
  ['`a.b', 'syntax error: incomplete quoted identifier'],
  ['/a.b', 'syntax error: incomplete regexp'],
  ['a.[b', 'syntax error: failed to parse character class'],
  ['a.\\b', 'cannot escape a letter or number (\\b), it is reserved for future extension'],
  ['a.b\\', 'syntax error: cannot place \\ at end of line'],
  ['@rules', 'cannot open filter file: open rules: no such file or directory'],
])('%s is refused in the words of br', (filter, why) => {
  expect(() => parseFilters([filter])).toThrow(`at <cmdline>:1: ${why}`);
});
