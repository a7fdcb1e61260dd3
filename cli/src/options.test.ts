import { expect, it } from 'vitest';
import { parseOptions, UsageError } from './options.ts';

it.each([
  [['--help'], { command: 'help' }],
  [['rebuild', '-h'], { command: 'help' }],
  [['rebuild', '--storage', 'nfs'], { command: 'rebuild', storage: 'nfs', pool: '', apply: false }],
  [
    ['rebuild', '--storage=nfs', '--pool', 'east', '--apply', '--url', 'http://t', '--token-file', 'f'],
    { command: 'rebuild', storage: 'nfs', pool: 'east', apply: true, url: 'http://t', tokenFile: 'f' },
  ],
])('understands %j', (args, asked) => {
  expect(parseOptions(args)).toEqual(asked);
});

it.each([
  [[], /Say what to do/],
  [['restore'], /no command "restore"/],
  [['rebuild'], /--storage <id> must name/],
  [['rebuild', 'nfs'], /"nfs" is too much/],
  [['rebuild', '--storage'], /--storage/],
  [['rebuild', '--storage', 'nfs', '--aply'], /'--aply'/],
])('says of %j what would be right', (args, sentence) => {
  expect(() => parseOptions(args)).toThrow(sentence);
  expect(() => parseOptions(args)).toThrow(UsageError);
});
