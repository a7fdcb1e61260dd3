import { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import { mergeBrOptions, toStoredBrOptions } from './br-options.ts';

describe('options of br', () => {
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
