import type { AppError } from '@tidemark/errors/app-error';
import { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import { checkBrOptions, mergeBrOptions, toStoredBrOptions } from './br-options.ts';
import { validation } from './validate.ts';

const violationsOf = (fields: Partial<BrOptions>): Record<string, string> => {
  const check = validation();
  checkBrOptions(check, BrOptions.create(fields));
  try {
    check.finish();
    return {};
  } catch (error) {
    const { details } = error as AppError;
    return Object.fromEntries((details.fields ?? []).map(({ field, description }) => [field, description]));
  }
};

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

  it('of a request win over those of its cluster, one by one', () => {
    const ofCluster = toStoredBrOptions(
      BrOptions.create({ rateLimit: 50, compression: 'lz4', filters: ['a.*'], checksum: true, extra: { gcttl: '1' } }),
    );
    const ofRequest = BrOptions.create({ rateLimit: 10, checksum: false, extra: { 'ignore-stats': 'true' } });
    expect(mergeBrOptions(ofCluster, ofRequest)).toEqual({
      rateLimit: 10,
      concurrency: 0,
      compression: 'lz4',
      filters: ['a.*'],
      checksum: false,
      extra: { gcttl: '1', 'ignore-stats': 'true' },
    });
    expect(mergeBrOptions(ofCluster, undefined)).toBe(ofCluster);
    expect(mergeBrOptions(undefined, ofRequest)).toMatchObject({ rateLimit: 10 });
    expect(mergeBrOptions(undefined, undefined)).toBeUndefined();
  });
});
