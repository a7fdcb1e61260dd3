import { expect, it } from 'vitest';
import { readPageToken, toPageToken } from './page-token.ts';

const filter = { clusterIds: [], states: [], includeDeleted: false };
const position = { before: 10, at: new Date('2026-11-30T00:00:00Z'), id: 'b' };

it('a token is the position of its own selection, and of no other', () => {
  const token = toPageToken(position, filter);
  expect(readPageToken(token, filter)).toEqual(position);
  expect(readPageToken(token, { ...filter, rule: 'nightly' })).toBeUndefined();
  expect(readPageToken(token.slice(0, -1), filter)).toBeUndefined();
});

it('a token behind a time that no backup has is none', () => {
  const late = { ...position, at: new Date('+010000-01-01T00:00:00Z') };
  expect(readPageToken(toPageToken(late, filter), filter)).toBeUndefined();
});
