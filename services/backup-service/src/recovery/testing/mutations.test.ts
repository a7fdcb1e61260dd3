/** Each rule of recovery is there for something: switched off, it is missed in a small world within seconds. */
import { expect, it } from 'vitest';
import { explore, RULES } from './explorer.ts';
import { MUTATIONS } from './mutations.ts';
import { PEACE } from './worlds.ts';

const ENOUGH = 60_000;

for (const { without, of, in: setting, breaks } of MUTATIONS) {
  it(`misses the rule that ${without}`, () => {
    const { finding } = explore({ ...PEACE, ...setting }, { ...RULES, ...of(RULES) }, ENOUGH);
    expect(finding?.sentence).toBe(breaks);
  });
}
