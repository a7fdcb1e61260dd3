import { expect, it } from 'vitest';
import { toSnapshot } from './recovery-state.ts';

it('tells of which cluster of TiDB a backup is, where its record names one', () => {
  const of = (tidbClusterId?: string) => {
    const result = { tso: '5', sizeBytes: 7, ...(tidbClusterId !== undefined && { tidbClusterId }) };
    const backup = { _id: 'b', startTime: new Date(0), result } as Parameters<typeof toSnapshot>[0];
    return toSnapshot(backup).map(({ upstreamClusterId }) => upstreamClusterId);
  };
  expect([of('7000000000000000001'), of('0'), of()]).toEqual([['7000000000000000001'], [''], ['']]);
});
