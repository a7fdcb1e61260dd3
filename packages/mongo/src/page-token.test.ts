import { MAX_PAGE_TOKEN } from '@tidemark/limits/limits';
import { expect, it } from 'vitest';
import { readPageToken, toPageToken } from './page-token.ts';

const scope = { list: 'b1', filters: [['c'], null, false] };
const position = {
  before: 10,
  at: new Date('2026-11-30T00:00:00Z'),
  id: 'c:nightly:2026-11-30T00:00:00Z',
  span: 60_000,
};

it('a token is the position of its own list and filters, and of no other', () => {
  const token = toPageToken(position, scope);
  expect(readPageToken(token, scope)).toEqual(position);
  expect(readPageToken(token, { ...scope, filters: [['c'], 'nightly', false] })).toBeUndefined();
  expect(readPageToken(token, { ...scope, list: 'o1' })).toBeUndefined();
  expect(readPageToken(token.slice(0, -1), scope)).toBeUndefined();
});

it('a token behind a time that no record has is none', () => {
  const late = { ...position, at: new Date('+010000-01-01T00:00:00Z') };
  expect(readPageToken(toPageToken(late, scope), scope)).toBeUndefined();
});

it('the longest position makes a token that is taken', () => {
  const longest = {
    before: 10 ** 15 - 1,
    at: new Date('9998-12-31T23:59:59.999Z'),
    id: 'x'.repeat(200),
    span: 604_800_000,
  };
  const token = toPageToken(longest, scope);
  expect(token.length).toBeLessThanOrEqual(MAX_PAGE_TOKEN);
  expect(readPageToken(token, scope)).toEqual(longest);
});
