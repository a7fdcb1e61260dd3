/**
 * Every state of small worlds: one log backup, workers that die and freeze, people who pause, stop, start and restore by hand, tasks
 * of others, a cluster that is built anew, and a restore that wants it. In each of them L1 to L11 hold as `invariants.ts` says them.
 *
 * With `TIDEMARK_EXPLORE=large` the worlds are many times larger and take minutes.
 */
import { expect, it } from 'vitest';
import { tell } from '../../../testing/exploration.ts';
import { explore } from './explorer.ts';
import { LARGE, SMALL } from './worlds.ts';

const PATIENCE_MS = 3_600_000;

for (const [name, setting] of process.env.TIDEMARK_EXPLORE === 'large' ? LARGE : SMALL) {
  it(`holds in every state of: ${name}`, { timeout: PATIENCE_MS }, () => {
    const { states, steps, cut, finding } = explore(setting);
    expect(finding && tell(finding)).toBeUndefined();
    expect(cut).toBe(false);
    console.log(`${states} states, ${steps} steps: ${name}`);
  });
}
