import { expect, test } from 'vitest';
import { networkErrorText } from './network-error.ts';

const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' });

test.each([
  ['itself', refused],
  ['in a list', new AggregateError([refused])],
  ['as a cause', new Error('fetch failed', { cause: refused })],
  ['in a text', new Error('request to http://127.0.0.1:9/x failed, reason: connect ECONNREFUSED 127.0.0.1:9')],
])('a refused connection is found %s', (_, error) => {
  expect(networkErrorText(error, 'elsewhere:1')).toBe('dial tcp 127.0.0.1:9: connect: connection refused');
});

test('an error that names no address gets the one that was meant', () => {
  expect(networkErrorText(new Error('getaddrinfo ENOTFOUND s3'), 's3:443')).toBe(
    'dial tcp s3:443: lookup: no such host',
  );
});

test('other errors are not of the network', () => {
  expect(networkErrorText(new Error('AccessDenied'), 's3:443')).toBeUndefined();
  expect(networkErrorText(undefined, 's3:443')).toBeUndefined();
});
