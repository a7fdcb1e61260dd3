import { expect, test } from 'vitest';
import type { Figure } from './benchmark.ts';
import { databaseName } from './machine.ts';
import { heading, isMet, number, table } from './report.ts';

const FIGURES: readonly Figure[] = [
  { name: 'round', value: 7.994, unit: 'ms', floor: { name: 'find', value: 1.9949 }, ratio: 4.007 },
  { name: 'taken up', value: 1234.5, unit: '/s', target: { of: 'value', atLeast: 2000 } },
  { name: 'growth', value: 1.03, unit: 'times', ratio: 0.94, target: { of: 'ratio', atMost: 1.5 } },
];

test('a table lines up, and says which targets were met', () => {
  expect(table(FIGURES)).toBe(
    [
      '               value         floor  ratio                target',
      'round        7.99 ms  find 1.99 ms   4.01',
      'taken up     1,235/s                       value ≥ 2,000 MISSED',
      'growth    1.03 times                 0.94      ratio ≤ 1.50 met',
    ].join('\n'),
  );
});

test('a figure keeps three digits that mean something', () => {
  expect([0, 0.0123, 1, 12.34, 123.4, 1234.5].map(number)).toEqual(['0', '0.0123', '1.00', '12.3', '123', '1,235']);
});

test('a target is about the value or about the ratio, and a figure without a ratio misses one about it', () => {
  const figure = { name: 'x', value: 3, unit: 'ms' } as const;
  expect(isMet(figure)).toBeUndefined();
  expect(isMet({ ...figure, target: { of: 'value', atMost: 3, atLeast: 3 } })).toBe(true);
  expect(isMet({ ...figure, ratio: 2, target: { of: 'ratio', atMost: 1.5 } })).toBe(false);
  expect(isMet({ ...figure, target: { of: 'ratio', atMost: 1.5 } })).toBe(false);
});

test('a report begins with what the figures depend on', () => {
  const machine = {
    node: 'v26.10.0',
    cpu: 'AMD EPYC',
    cpus: 2,
    memoryGb: 24,
    platform: 'linux x64',
    database: 'MongoDB 8.0.4',
  };
  expect(heading({ date: '2026-01-31T10:00:00.000Z', quick: true, machine })).toBe(
    '2026-01-31T10:00:00.000Z, quick\n2 × AMD EPYC, 24 GB, linux x64, Node.js v26.10.0\nDatabase: MongoDB 8.0.4',
  );
});

test('a database that only speaks the protocol is called by its own name', () => {
  expect(databaseName({ version: '8.0.4', gitVersion: 'abc' })).toBe('MongoDB 8.0.4');
  expect(databaseName({ version: '8.2.11', secantusVersion: '0.7.0b3' })).toBe(
    'SecantusDB 0.7.0b3 (as MongoDB 8.2.11)',
  );
  expect(databaseName({ version: '7.0.77', ferretdb: { version: 'v2.7.0' } })).toBe(
    'FerretDB v2.7.0 (as MongoDB 7.0.77)',
  );
});
