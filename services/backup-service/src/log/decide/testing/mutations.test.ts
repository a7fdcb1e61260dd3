/** Each rule of a log backup's life is there for something: switched off, it is missed in a small world within seconds. */
import { expect, it } from 'vitest';
import { decideLog } from '../decide.ts';
import { explore } from './explorer.ts';
import { MUTATIONS } from './mutations.ts';
import { PEACE } from './worlds.ts';

const ENOUGH = 200_000;

for (const { without, of, in: setting, breaks } of MUTATIONS) {
  it(`misses the rule that ${without}`, () => {
    const { finding } = explore({ ...PEACE, ...setting }, of(decideLog), ENOUGH);
    expect(finding?.sentence).toBe(breaks);
  });
}
