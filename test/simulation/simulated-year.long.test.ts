/**
 * The promise that windows can be trusted, over a whole year: what strategy-service and the scheduler really do, with a
 * clock that jumps from one due instant to the next, is compared with an oracle that only reads wall clocks (`judge.ts`
 * says how). Copies are killed at any call, answers are lost, nobody runs for days, and people pause and edit meanwhile.
 *
 * The stores are in memory (`memory-stores.ts` says why). Each run has another seed, which it prints; one of before is
 * run again with TIDEMARK_YEAR_SEED.
 */
import { describe, expect, it, vi } from 'vitest';
import { judge } from './judge.ts';
import { ZONES, ZONES_OF_2011 } from './people.ts';
import { simulateYear } from './year.ts';

vi.hoisted(() => {
  // A line for each step would be millions.
  process.env.TIDEMARK_LOG_LEVEL = 'silent';
});

/** Also on machines that do much else. */
const TIMEOUT_MS = 400_000;
const seed = Number(process.env.TIDEMARK_YEAR_SEED ?? Date.now() % 1_000_000);
/** 500 (TIDEMARK_LONG_TESTS=1) take more than a minute. Each run has other strategies, so that few of them come to many. */
const STRATEGIES = process.env.TIDEMARK_LONG_TESTS === '1' ? 500 : 80;
const YEARS = [
  { year: 2026, strategies: STRATEGIES, zones: ZONES, windows: STRATEGIES * 40 },
  { year: 2011, strategies: 50, zones: ZONES_OF_2011, windows: 2_000 },
];

describe.each(YEARS)('over the year $year, $strategies strategies', ({ year, strategies, zones, windows }) => {
  it(
    'have the windows that the wall clocks ask for, and each starts its one backup or says truly why not',
    async () => {
      const judged = judge(await simulateYear({ seed, year, strategies, zones }));
      const outcomes = Object.fromEntries(judged.outcomes);
      console.log(`TIDEMARK_YEAR_SEED=${seed}, ${year}: ${judged.windows} windows, ${JSON.stringify(outcomes)}`);
      expect(judged.differences.slice(0, 20), `TIDEMARK_YEAR_SEED=${seed}`).toEqual([]);
      // It was a year of trouble, and still hardly any window was judged leniently.
      expect(judged.windows).toBeGreaterThan(windows);
      expect(judged.certain / judged.windows).toBeGreaterThan(0.95);
      for (const outcome of ['Missed NO_SCHEDULER', 'Skipped CLUSTER_BUSY', 'Skipped STRATEGY_PAUSED'])
        expect(outcomes).toHaveProperty([outcome]);
    },
    TIMEOUT_MS,
  );
});

it('is a matter of forty zones', () => {
  expect(new Set(ZONES).size).toBe(40);
});
