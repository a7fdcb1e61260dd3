import { create } from '@bufbuild/protobuf';
import { BrOptionsSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import { brFormOf, brOptionsOf, NO_BR } from './br-form.ts';

describe('options of br that are edited', () => {
  it('are what was stored, whatever is set', () => {
    const stored = {
      rateLimit: 100,
      concurrency: 8,
      compression: 'lz4',
      filters: ['shop.*', '!shop.tmp'],
      checksum: false,
      crypterMethod: 'aes256-ctr',
      crypterKeyFile: '/etc/tidemark/backup.key',
      extra: { gcttl: '3600', 'replica-read-label': 'zone:a=b' },
    };
    expect(brOptionsOf(brFormOf(create(BrOptionsSchema, stored)))).toEqual(stored);
  });

  it('are none where nothing is set', () => {
    expect(brOptionsOf(NO_BR)).toBeUndefined();
    expect(brFormOf(undefined)).toEqual(NO_BR);
    expect(brOptionsOf({ ...NO_BR, filters: ' \n', extra: '\n' })).toBeUndefined();
  });

  it('take a flag without a value for one that is switched on', () => {
    expect(brOptionsOf({ ...NO_BR, extra: 'ignore-stats\n gcttl = 60 ' })).toEqual({
      extra: { 'ignore-stats': 'true', gcttl: '60' },
    });
  });
});
