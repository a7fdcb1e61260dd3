import { describe, expect, it } from 'vitest';
import { digestOf, type Presence } from '../presence.ts';
import type { Plan } from './plan.ts';
import { workerCheck } from './worker-check.ts';

const storage = { id: 'nfs', root: '', maxConcurrent: 0, local: { path: '/mnt/nfs' } };
const plan = { source: { storage }, target: { pool: 'dr', version: '8.5.0' }, checks: [] } as unknown as Plan;
const away = {
  storageId: 'nfs',
  digest: digestOf(plan.source.storage),
  passing: false,
  reason: { code: 'STORAGE', message: '/mnt/nfs is not there.' },
  since: new Date(),
};
const worker = (name: string, fields: Partial<Presence> = {}): Presence => ({
  ...{ _id: `run-of-${name}`, worker: name, pool: 'dr', slots: 2, freeSlots: 0, brVersions: ['v8.5.0'] },
  ...{ running: [], draining: false, outOfReach: [], firstSeenAt: new Date(), seenAt: new Date(), ...fields },
});

describe('the check of the workers in a plan', () => {
  it('is fine where one can use the storage, also while it is busy, and tells their versions of br', () => {
    const present = [worker('a', { outOfReach: [away] }), worker('b', { brVersions: ['v8.5.2', 'v7.5.0'] })];
    expect(workerCheck(plan, present)).toEqual({
      name: 'worker',
      result: 'ok',
      message: '1 worker of pool dr can use storage nfs, with br v7.5.0, v8.5.2.',
    });
  });

  it.each([
    [
      'is of another major',
      ['v7.5.0', 'v6.5.2'],
      '8.5.0',
      'they have v6.5.2, v7.5.0. Give one of them br of v8, best of v8.5',
    ],
    ['refuses a TiKV as old', ['v8.5.0'], '8.1.0', 'they have v8.5.0. Give one of them br of v8, best of v8.1'],
    ['is too old for restores', ['v6.1.0'], '6.1.0', 'they have v6.1.0.'],
    ['was not found', [], '8.5.0', 'they have none.'],
  ])('blocks where every br that is there %s', (_, brVersions, version, message) => {
    const into = { ...plan, target: { pool: 'dr', version } } as unknown as Plan;
    expect(workerCheck(into, [worker('a', { brVersions }), worker('b', { brVersions: [] })])).toMatchObject({
      result: 'blocked',
      message: expect.stringContaining(message),
    });
  });

  it('asks of a filter for a br that refuses tables which exist, unless that is blocked and to be acknowledged', () => {
    const part = (result: string) =>
      ({
        ...plan,
        target: { pool: 'dr', version: '8.5.6' },
        checks: [{ name: 'existingTables', result }],
      }) as unknown as Plan;
    const present = [worker('a', { brVersions: ['v8.5.4'] })];
    expect(workerCheck(part('unknown'), present)).toMatchObject({
      result: 'blocked',
      message: expect.stringContaining('they have v8.5.4. With a filter that is a br from v8.5.5 on'),
    });
    expect(workerCheck(part('blocked'), present)).toMatchObject({ result: 'ok' });
    expect(workerCheck(part('unknown'), [...present, worker('b', { brVersions: ['v8.5.5'] })])).toMatchObject({
      result: 'ok',
      message: '1 worker of pool dr can use storage nfs, with br v8.5.5.',
    });
  });

  it('counts no worker whose br does not fit', () => {
    const present = [worker('a', { outOfReach: [away] }), worker('b', { brVersions: ['v7.5.0'] })];
    expect(workerCheck(plan, present)).toMatchObject({
      result: 'warn',
      message: expect.stringContaining('The only worker of pool dr with a br that fits cannot use storage nfs'),
    });
  });

  it.each([
    ['nobody is there', [], 'No worker of pool dr is there'],
    ['those who are there drain', [worker('a', { draining: true })], 'No worker of pool dr is there'],
    [
      'the only one cannot use the storage',
      [worker('a', { outOfReach: [away] })],
      'The only worker of pool dr with a br that fits cannot use',
    ],
    [
      'none can use the storage',
      [worker('a', { outOfReach: [away] }), worker('b', { outOfReach: [away] })],
      'None of the 2 workers of pool dr with a br that fits can use storage nfs, and the restore waits until that has changed. a: /mnt/nfs is not there.',
    ],
  ])('warns where %s', (_, present, message) => {
    expect(workerCheck(plan, present)).toMatchObject({ result: 'warn', message: expect.stringContaining(message) });
  });
});
