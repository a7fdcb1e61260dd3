import { MAX_CONDITION_RECORDS } from '@tidemark/limits/limits';
import { expect, it } from 'vitest';
import { type ConditionState, decideCondition, type Fact, spread } from './condition.ts';

const at = (minute: number) => new Date(Date.UTC(2026, 11, 2, 3, minute));
const fact = (fields: Partial<Fact>): Fact => ({
  condition: 'backup',
  subject: 'orders',
  at: at(0),
  level: 'warning',
  grade: 'failed',
  text: 'A backup of orders failed.',
  about: { clusterId: 'orders', labels: [['env', 'prod']] },
  ...fields,
});
const GOOD: Partial<Fact> = { level: 'good', grade: '', text: 'Backups of orders succeed again.' };

/** Takes in facts one after the other, each event spread at once; answers with the last state and all events. */
function lived(...facts: readonly Fact[]) {
  let state: ConditionState | undefined;
  const events = [];
  for (const [index, one] of facts.entries()) {
    const { next } = decideCondition(state, one, `e${index}`, at(index));
    if (!next) continue;
    if (next.pending) events.push(next.pending);
    state = next.pending ? spread(next, next.pending.id) : next;
  }
  return { state, events };
}

it('tells of what becomes bad and of its end, once each, and of nothing that stays as it is', () => {
  const { events } = lived(
    fact(GOOD),
    fact({ at: at(1) }),
    fact({ at: at(2) }),
    fact({ ...GOOD, at: at(3) }),
    fact({ ...GOOD, at: at(4) }),
  );
  expect(events.map(({ id, type, severity, ended }) => ({ id, type, severity, ended }))).toEqual([
    { id: 'e1', type: 'backup.failed', severity: 'warning', ended: undefined },
    { id: 'e3', type: 'backup.recovered', severity: 'info', ended: 'warning' },
  ]);
});

it('makes no record of what was never bad', () => {
  expect(decideCondition(undefined, fact(GOOD), 'e', at(1))).toEqual({});
});

it('decides nothing while an event is pending, and keeps that', () => {
  const { next } = decideCondition(undefined, fact({}), 'first', at(1));
  expect(next?.pending?.id).toBe('first');
  expect(decideCondition(next, fact({ ...GOOD, at: at(2) }), 'second', at(3))).toEqual({ isBusy: true });
  expect(next && spread(next, 'second')).toBeUndefined();
});

it('a fact that is older than what it knows changes nothing', () => {
  const { state } = lived(fact({ at: at(1) }), fact({ at: at(5) }));
  expect(decideCondition(state, fact({ ...GOOD, at: at(4) }), 'e', at(9))).toEqual({});
  expect(decideCondition(state, fact({ ...GOOD, at: at(6) }), 'e', at(9)).next?.level).toBe('good');
});

it('tells each grade of a level, and what gets less bad to those who heard of the worse', () => {
  const late = (level: Fact['level'], grade: string, minute: number) =>
    fact({ condition: 'promise', level, grade, at: at(minute) });
  const { events } = lived(late('warning', 'late', 1), late('critical', 'veryLate', 2), late('warning', 'late', 3));
  expect(events.map(({ severity, ended }) => [severity, ended])).toEqual([
    ['warning', undefined],
    ['critical', undefined],
    ['warning', 'critical'],
  ]);
});

it('what several records make bad is over when the last of them is', () => {
  const record = (id: string, fields: Partial<Fact> = {}) => fact({ condition: 'damage', record: id, ...fields });
  const { events, state } = lived(
    record('b1'),
    record('b2'),
    record('b1', GOOD),
    record('b3', GOOD),
    record('b2', GOOD),
  );
  expect(events.map(({ type }) => type)).toEqual(['backup.damaged', 'damage.recovered']);
  expect(state).toMatchObject({ level: 'good', records: [], clusterId: 'orders', labels: [['env', 'prod']] });
});

it('remembers so many records and no more', () => {
  const records = Array.from({ length: MAX_CONDITION_RECORDS + 1 }, (_, index) =>
    fact({ condition: 'removal', record: `b${index}` }),
  );
  expect(lived(...records).state?.records).toHaveLength(MAX_CONDITION_RECORDS);
});
