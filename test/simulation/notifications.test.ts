/**
 * Every state of small worlds of notifications: in each of them C1 to C4 and D1 to D5 hold, and from each of them every receiver can come to have
 * every event. Each rule, switched off, is missed.
 */
import { expect, it } from 'vitest';
import { tell } from '../../services/backup-service/src/testing/exploration.ts';
import { explore, LARGE, MUTATIONS, PEACE, RULES, SMALL } from './notification-model.ts';

const PATIENCE_MS = 3_600_000;
const ENOUGH = 20_000;

for (const [name, setting] of process.env.TIDEMARK_EXPLORE === 'large' ? LARGE : SMALL) {
  it(`holds in every state of: ${name}`, { timeout: PATIENCE_MS }, () => {
    const { states, steps, cut, finding } = explore(setting);
    expect(finding && tell(finding)).toBeUndefined();
    expect(cut).toBe(false);
    console.log(`${states} states, ${steps} steps: ${name}`);
  });
}

for (const { without, rules, in: setting, breaks } of MUTATIONS) {
  it(`misses the rule that ${without}`, () => {
    const { finding } = explore({ ...PEACE, ...setting }, { ...RULES, ...rules }, ENOUGH);
    expect(finding?.sentence).toBe(breaks);
  });
}
