import { expect, it } from 'vitest';
import { parseChaosOptions } from './options.ts';
import { FAULT_KINDS, planOf } from './plan.ts';

const parse = (...args: string[]) => parseChaosOptions(args, '/here', 42);

it('breaks everything for five minutes, with a seed by chance', () => {
  expect(parse()).toEqual({ minutes: 5, seed: 42, kinds: FAULT_KINDS, planted: false });
});

it('takes the seed, the length, the kinds and a file', () => {
  expect(parse('--seed', '7', '--minutes', '0.5', '--only', 'kill', '--only', 'freeze', '--json', 'x.json')).toEqual({
    minutes: 0.5,
    seed: 7,
    kinds: ['kill', 'freeze-short', 'freeze-long'],
    json: '/here/x.json',
    planted: false,
  });
  expect(parse('--help')).toBe('help');
});

it.each([
  [['--only', 'earthquake'], /There is no fault "earthquake": kill, /],
  [['--minutes', 'soon'], /--minutes must be a number from 0.1 to 1440/],
  [['--seed', '-1'], /--seed/],
  [['--json', ''], /--json must name a file/],
  [['--faster'], /--faster.*--help lists the options/],
])('says what is wrong with %j', (args, sentence) => {
  expect(() => parse(...args)).toThrow(sentence);
});

it('makes the same plan of the same seed, and another of another', () => {
  const [plan, again, other] = [
    planOf(7, 600_000, FAULT_KINDS),
    planOf(7, 600_000, FAULT_KINDS),
    planOf(8, 600_000, FAULT_KINDS),
  ];
  expect(again).toEqual(plan);
  expect(other).not.toEqual(plan);
  expect(plan.faults.every(({ at }, index) => index === 0 || at > (plan.faults[index - 1]?.at ?? 0))).toBe(true);
});

it('plans the same requests whatever is broken', () => {
  expect(planOf(7, 60_000, ['kill']).actions).toEqual(planOf(7, 60_000, FAULT_KINDS).actions);
});

it('plans each kind of fault, and more than five hundred in an hour', () => {
  const { faults } = planOf(1, 3_600_000, FAULT_KINDS);
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS));
  expect(faults.length).toBeGreaterThan(700);
});
