import { describe, expect, it } from 'vitest';
import { brOptionsViolations, type GivenBrOptions } from './br-options.ts';

const violationsOf = (options: GivenBrOptions): Record<string, string> =>
  Object.fromEntries(
    brOptionsViolations(options, { isNew: true }).map(({ field, description }) => [field, description]),
  );

describe('options of br', () => {
  it('may be given from an allow-list', () => {
    expect(
      violationsOf({
        rateLimit: 100,
        concurrency: 256,
        compression: 'zstd',
        filters: ['shop.*', '!shop.tmp'],
        crypterMethod: 'aes256-ctr',
        crypterKeyFile: '/etc/tidemark/backup.key',
        extra: {
          gcttl: '86400',
          'compression-level': '-1',
          'ignore-stats': 'false',
          'replica-read-label': 'zone:backup',
          'grpc-keepalive-time': '1m30s',
          'use-checkpoint': 'true',
        },
      }),
    ).toEqual({});
  });

  it.each([
    ['storage', 'set by Tidemark'],
    ['pd', 'set by Tidemark'],
    ['log-file', 'set by Tidemark'],
    ['status-addr', 'set by Tidemark'],
    ['check-requirements', 'stays on'],
    ['crypter.key', 'crypterKeyFile'],
    ['ratelimit', '"rateLimit"'],
    ['--storage', 'set by Tidemark'],
    ['--gcttl', 'without dashes'],
    ['s3.endpoint', 'possible are gcttl'],
    ['toString', 'possible are gcttl'],
  ])('may not be given beside it: %s', (name, why) => {
    const extra = JSON.parse(`{${JSON.stringify(name)}:"1"}`) as Record<string, string>;
    expect(violationsOf({ extra })).toEqual({ [`brOptions.extra.${name}`]: expect.stringContaining(why) });
  });

  it.each([
    [{ extra: { gcttl: '1h' } }, 'brOptions.extra.gcttl'],
    [{ extra: { 'ignore-stats': 'yes' } }, 'brOptions.extra.ignore-stats'],
    [{ extra: { 'keyspace-name': 'a b; rm -rf /' } }, 'brOptions.extra.keyspace-name'],
    [{ extra: { 'grpc-keepalive-time': '10' } }, 'brOptions.extra.grpc-keepalive-time'],
    [{ concurrency: 257 }, 'brOptions.concurrency'],
    [{ compression: 'gzip' }, 'brOptions.compression'],
    [{ filters: ['a\nb'] }, 'brOptions.filters[0]'],
    [{ crypterMethod: 'aes256-ctr' }, 'brOptions.crypterKeyFile'],
    [{ crypterKeyFile: '/key' }, 'brOptions.crypterMethod'],
    [{ crypterMethod: 'rot13', crypterKeyFile: '/key' }, 'brOptions.crypterMethod'],
    [{ crypterMethod: 'aes128-ctr', crypterKeyFile: '../key' }, 'brOptions.crypterKeyFile'],
  ])('%j are refused under their name', (fields, field) => {
    expect(Object.keys(violationsOf(fields))).toEqual([field]);
  });

  it.each(['@/etc/passwd', ' @/etc/passwd', '!@/etc/passwd', '\u00a0@/etc/passwd'])(
    'never let br read rules from a file of the worker: %j',
    (filter) => {
      expect(violationsOf({ filters: ['shop.*', filter] })).toEqual({
        'brOptions.filters[1]': expect.stringContaining('must not name a file'),
      });
    },
  );

  it.each(['shop.*', '!shop.tmp', '/^a\\.b$/./.*/', '`a.b`."c"', 'ä*.[a-z]?', ' shop.* '])(
    'take what BR takes as a filter: %j',
    (filter) => expect(violationsOf({ filters: [filter] })).toEqual({}),
  );

  it.each(['', ' ', '# shop.*', 'shop', '!', '.'])('refuse what BR takes for no filter: %j', (filter) =>
    expect(Object.keys(violationsOf({ filters: [filter] }))).toEqual(['brOptions.filters[0]']),
  );

  it('that are too many are one violation, and none of them is looked at', () => {
    expect(violationsOf({ filters: Array<string>(250_000).fill('') })).toEqual({
      'brOptions.filters': 'must be at most 100',
    });
    const extra = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`no-${at}`, '1']));
    expect(violationsOf({ extra })).toEqual({ 'brOptions.extra': 'must be at most 32 flags' });
  });

  it('that are new have filters of 8 KiB together; those that were stored before may have more', () => {
    const filters = (bytes: number) => Array.from({ length: bytes / 256 }, () => `${'ä'.repeat(126)}.tbl`);
    expect(violationsOf({ filters: filters(8_192) })).toEqual({});
    expect(violationsOf({ filters: filters(8_448) })).toEqual({
      'brOptions.filters': expect.stringContaining('8192 bytes'),
    });
    expect(brOptionsViolations({ filters: filters(8_448) }, { isNew: false })).toEqual([]);
  });
});
