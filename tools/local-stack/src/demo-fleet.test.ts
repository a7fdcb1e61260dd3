import { expect, test } from 'vitest';
import { demoMembers } from './demo-fleet.ts';

test('the demo fleet is forty clusters of which each is one of its own, in several zones', () => {
  const members = demoMembers();
  expect(members).toHaveLength(40);
  for (const of of ['id', 'pd'] as const) expect(new Set(members.map((one) => one[of])).size).toBe(40);
  expect(new Set(members.map(({ timeZone }) => timeZone)).size).toBe(4);
  for (const { id } of members) expect(id).toMatch(/^[\w-]{1,64}$/);
});

test('it has what a person should find: clusters without a plan, some that fail, and one that takes long', () => {
  const members = demoMembers();
  expect(members.filter(({ period }) => period === undefined)).toHaveLength(2);
  expect(members.filter(({ script }) => script.outcome !== undefined)).toHaveLength(2);
  expect(members.filter(({ script }) => Number(script.seconds) > 600)).toHaveLength(1);
  for (const { period } of members) if (period !== undefined) expect(period).toMatch(/^\d{1,2}:00-\d{1,2}:00$/);
});
