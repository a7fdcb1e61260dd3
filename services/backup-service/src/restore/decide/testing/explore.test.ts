/**
 * Every state of small worlds: the life of restores among workers that crash and freeze, calls that are lost, late and doubled, and
 * people who cancel, resume, clean and release. In each of them R1 to R14 hold as `invariants.ts` says them; from each of them every
 * restore can come to an end by itself, and people can free its target.
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
