/** Each rule of the design is there for something: switched off, it is missed in a small world within seconds. */
import { expect, it } from 'vitest';
import { decide } from '../decide.ts';
import { DELETION_MUTATIONS } from './deletion-mutations.ts';
import { explore } from './explorer.ts';
import { MUTATIONS } from './mutations.ts';
import { PEACE } from './worlds.ts';

const ENOUGH = 20_000;

for (const { without, of, in: setting, breaks } of [...MUTATIONS, ...DELETION_MUTATIONS]) {
  it(`misses the rule that ${without}`, () => {
    const { finding } = explore({ ...PEACE, ...setting }, of(decide), ENOUGH);
    expect(finding?.sentence).toBe(breaks);
  });
}
