/**
 * Every state of small worlds: the life of backups among workers that crash and freeze, calls that are lost, late and
 * doubled, and people who cancel and delete. In each of them T1 to T14 hold as `invariants.ts` says them, and from each
 * of them every backup can still come to rest.
 *
 * With `TIDEMARK_EXPLORE=large` the worlds are some hundred times larger and take about a minute.
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
