import { describe, expect, it } from 'vitest';
import type { Presence } from './presence.ts';
import { fromToken, placeOf, toToken, workersPage } from './workers-page.ts';

const at = new Date('2026-12-01T12:00:00Z');
const worker = (pool: string, name: string, id = `${pool}-${name}`): Presence => ({
  ...{ _id: id, worker: name, pool, slots: 1, freeSlots: 1, brVersions: [], running: [], draining: false },
  ...{ outOfReach: [], firstSeenAt: at, seenAt: at },
});
const ALL = [worker('b', 'w1'), worker('a', 'w2', 'z'), worker('a', 'w2', 'y'), worker('a', 'w10')];
const idsOf = (...asked: Parameters<typeof workersPage>) => workersPage(...asked).page.map(({ _id }) => _id);

describe('a page of workers', () => {
  it('is by pool, name and run', () =>
    expect(idsOf(ALL, { pool: '', behind: undefined, size: 9 })).toEqual(['a-w10', 'y', 'z', 'b-w1']));

  it('is of one pool where that is asked for, and counts that', () =>
    expect(workersPage(ALL, { pool: 'a', behind: undefined, size: 2 })).toMatchObject({ total: 3, more: true }));

  it('goes on behind a token, also where the worker that it names is gone', () => {
    const token = toToken(placeOf(worker('a', 'w2', 'y')), '');
    const left = ALL.filter(({ _id }) => _id !== 'y');
    expect(idsOf(left, { pool: '', behind: fromToken(token, ''), size: 9 })).toEqual(['z', 'b-w1']);
  });

  it('takes no token of another pool, and none that is cut', () => {
    const token = toToken(placeOf(worker('a', 'w2')), 'a');
    for (const bad of ['', 'x', token.slice(0, -3), Buffer.from('[1,2,3,4]').toString('base64url')])
      expect(fromToken(bad, 'a')).toBeUndefined();
    expect(fromToken(token, '')).toBeUndefined();
  });

  it('has tokens that are short enough, whatever a worker is called', () =>
    expect(toToken(placeOf(worker('p'.repeat(32), 'ä'.repeat(128), 'i'.repeat(128))), '').length).toBeLessThan(512));
});
