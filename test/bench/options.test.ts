import { expect, test } from 'vitest';
import { HELP, parseBenchOptions } from './options.ts';

const KNOWN = ['due-burst', 'scheduler-tick'];
const parse = (...args: string[]) => parseBenchOptions(args, KNOWN, '/home/me');

test('without arguments everything is measured, thoroughly', () => {
  expect(parse()).toEqual({ quick: false, only: [] });
});

test('a part, quickly, into a file', () => {
  expect(parse('--quick', '--only', 'due-burst', '--json', 'out.json')).toEqual({
    quick: true,
    only: ['due-burst'],
    json: '/home/me/out.json',
  });
});

test('the help names every option', () => {
  expect(parse('--help')).toBe('help');
  for (const flag of ['quick', 'only', 'json', 'help']) expect(HELP).toContain(`--${flag}`);
});

test.each([
  [['--only', 'tick'], 'There is no benchmark "tick": due-burst, scheduler-tick are known.'],
  [['--json', ''], '--json must name a file.'],
  [['--fast'], "Unknown option '--fast'. npm run bench -- --help lists the options."],
  [['due-burst'], "Unexpected argument 'due-burst'. npm run bench -- --help lists the options."],
])('one sentence says what is wrong with %j', (args, sentence) => {
  expect(() => parse(...args)).toThrow(sentence);
});
