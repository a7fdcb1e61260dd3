/**
 * Every state of small worlds: snapshots, logs that grow, end, stand still and are damaged, retention whose steps end anywhere, restores
 * and people who pin, remove and change the horizon. In each of them P1 to P10 hold as `promises.ts` says them.
 *
 * With `TIDEMARK_EXPLORE=large` the worlds are many times larger and take minutes.
 */
import { expect, it } from 'vitest';
import { tell } from '../../testing/exploration.ts';
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
