import { expect, it } from 'vitest';
import { countOpen, type OpenRestore } from './open-restores.ts';

const NOW = new Date('2026-12-01T12:00:00Z');
const ended = (state: OpenRestore['state'], hoursAgo: number): OpenRestore => ({
  state,
  endTime: new Date(NOW.getTime() - hoursAgo * 3_600_000),
});

it('counts what is under way by its state, and what ended in the middle with the time that the first has waited', () => {
  const active = (['Queued', 'Running', 'Running', 'Canceling'] as const).map((state) => ({ state, endTime: null }));
  expect(countOpen([...active, ended('Failed', 2), ended('Canceled', 5)], NOW)).toEqual({
    counts: { Queued: 1, Running: 2, Canceling: 1, Partial: 2 },
    oldestPartialMs: 5 * 3_600_000,
  });
});

it('is all zero where no restore is open', () => {
  expect(countOpen([], NOW)).toEqual({
    counts: { Queued: 0, Running: 0, Canceling: 0, Partial: 0 },
    oldestPartialMs: 0,
  });
});
