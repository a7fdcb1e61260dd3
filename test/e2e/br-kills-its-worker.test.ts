import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

describe('a br that always kills its worker', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({
      restart: true,
      copies: { 'executor-worker': 2 },
      env: { all: { TIDEMARK_LOSS_LIMIT: '2', TIDEMARK_LEASE_SECONDS: '2.5', TIDEMARK_CLAIM_SECONDS: '2' } },
    });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  it('does so a limited number of times, then its backup has failed and its files go (T14)', async () => {
    const clusterId = await tidemark.cluster('poison');
    tidemark.demo({ seconds: 0.4, outcome: { kind: 'kill-parent', at: 0.5 } }, clusterId);
    const id = await tidemark.start(clusterId);
    const record = await tidemark.untilState(id, 'Failed', 90);
    // Two runs were lost; the last claim only looked for a finished backup and started nothing.
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'lost', 'failed']);
    expect(tidemark.ledger().filter(({ path, event }) => path.includes(clusterId) && event === 'start')).toHaveLength(
      2,
    );
    expect(record.reason?.code).toBe('EXHAUSTED');
    await vi.waitFor(() => expect(tidemark.files(record.filePath)).toEqual([]), { timeout: 20_000 });
  }, 150_000);
});
