import { describe, expect, it } from 'vitest';
import type { Evidence, LogDocument } from './evidence.ts';
import { LOG_RULES, type LogRuleName } from './log-rules.ts';

type Generation = LogDocument['generations'][number];
const SIGHT = { clusterId: 'c', generation: 1, at: '2026-01-05T12:00:00.000Z', end: 'Succeeded', same: true };
const generation = (change: Partial<Generation> = {}): Generation => ({
  ...{
    n: 1,
    taskName: 't1',
    path: 'p1',
    startTs: '5',
    min: '5',
    max: '9',
    open: false,
    endedWhy: 'stopped',
    truncating: null,
  },
  ...change,
});

interface Left {
  readonly log?: Partial<LogDocument>;
  readonly logs?: Partial<Evidence['logs']>;
}

function found({ log = {}, logs = {} }: Left): LogRuleName[] {
  const evidence = {
    logDocuments: [{ _id: 'c', wanted: 'off', task: null, generations: [generation()], ...log }],
    logs: { problems: [], sights: [SIGHT], othersKept: true, ...logs },
  } as unknown as Evidence;
  const names = Object.keys(LOG_RULES) as LogRuleName[];
  return names.filter((name) => [...LOG_RULES[name](evidence)].length > 0);
}

describe('logs that a run leaves', () => {
  it('are as they must be', () => expect(found({})).toEqual([]));

  it.each<[string, LogRuleName, Left]>([
    ['one that is still wanted', 'logs ended as they were wanted', { log: { wanted: 'on' } }],
    ['one that is open', 'logs ended as they were wanted', { log: { generations: [generation({ open: true })] } }],
    ['an act that has not ended', 'logs ended as they were wanted', { log: { task: { act: {} } } }],
    [
      'files that still go',
      'logs ended as they were wanted',
      { log: { generations: [generation({ truncating: {} })] } },
    ],
    ['what could not be done', 'logs ended as they were wanted', { logs: { problems: ['the log of c is Paused'] } }],
    ['one start twice', 'each log is one start', { log: { generations: [generation(), generation({ n: 2 })] } }],
    ['an end before the beginning', 'each log is one start', { log: { generations: [generation({ max: '4' })] } }],
    [
      'a point that is refused',
      'a point that is shown can be restored',
      { logs: { sights: [{ ...SIGHT, end: 'refused: x' }] } },
    ],
    [
      'rows of another moment',
      'a point that is shown can be restored',
      { logs: { sights: [{ ...SIGHT, same: false }] } },
    ],
    ['a task of others that is gone', 'the log of others is left alone', { logs: { othersKept: false } }],
  ])('are not, with %s', (_, rule, left) => expect(found(left)).toEqual([rule]));
});
