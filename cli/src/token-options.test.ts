import { parseArgs } from 'node:util';
import { expect, it } from 'vitest';
import { UsageError } from './exit.ts';
import { toNewToken } from './token-options.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const OPTIONS = {
  name: { type: 'string' },
  role: { type: 'string' },
  clusters: { type: 'string' },
  label: { type: 'string', multiple: true },
  expires: { type: 'string' },
} as const;
const parse = (...args: string[]) => toNewToken(parseArgs({ args, options: OPTIONS }).values, NOW);
const create = (...args: string[]) => parse('--name', 'ci', '--role', 'viewer', ...args);

it.each([
  [
    ['--name', 'ci', '--role', 'operator', '--clusters', 'a, b,a'],
    { name: 'ci', role: 'operator', clusters: ['a', 'b'], labels: {} },
  ],
  [
    ['--name', 'ci', '--role=admin', '--label', 'env=prod', '--label', 'team=a=b', '--clusters', 'x'],
    { name: 'ci', role: 'admin', clusters: ['x'], labels: { env: 'prod', team: 'a=b' } },
  ],
])('understands %j', (args, token) => {
  expect(parse(...args)).toEqual(token);
});

it.each([
  ['90d', '2026-05-01T12:00:00.000Z'],
  ['12h', '2026-02-01T00:00:00.000Z'],
  ['4w', '2026-02-28T12:00:00.000Z'],
  ['2027-01-31', '2027-01-31T00:00:00.000Z'],
  ['2027-01-31T18:00:00+02:00', '2027-01-31T16:00:00.000Z'],
])('takes %s for the end of a token', (text, time) => {
  expect(create('--clusters', '*', '--expires', text)).toMatchObject({ expiresAt: new Date(time) });
});

it.each([
  [['--role', 'viewer', '--clusters', 'a'], /--name must be/],
  [['--name', 'a\nb', '--role', 'viewer', '--clusters', 'a'], /--name must be/],
  [['--name', 'scheduler', '--role', 'viewer', '--clusters', 'a'], /must not be one of internal, scheduler/],
  [['--name', 'ci', '--role', 'root', '--clusters', 'a'], /--role must be one of viewer, operator, admin/],
])('says of %j what would be right', (args, sentence) => {
  expect(() => parse(...args)).toThrow(sentence);
  expect(() => parse(...args)).toThrow(UsageError);
});

it.each([
  [[], /Say which clusters the token is for/],
  [['--clusters', ''], /Say which clusters the token is for/],
  [['--clusters', 'prod-*'], /"prod-\*" is no id of a cluster/],
  [['--clusters', '*', '--label', 'env=prod'], /beside --label would limit nothing/],
  [['--label', 'env'], /--label must be name=value/],
  [['--label', 'env='], /--label must be name=value/],
  [['--label', 'env=a', '--label', 'env=b'], /No cluster has two values of the label env/],
  [['--clusters', '*', '--expires', '90'], /--expires must be like 90d/],
  [['--clusters', '*', '--expires', '31.1.2027'], /--expires must be like 90d/],
  [['--clusters', '*', '--expires', '2025-01-31'], /is not in the future/],
  [['--clusters', '*', '--expires', '0d'], /is not in the future/],
])('says of a new token with %j what would be right', (args, sentence) => {
  expect(() => create(...args)).toThrow(sentence);
});
