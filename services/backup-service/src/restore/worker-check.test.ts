import { describe, expect, it } from 'vitest';
import { digestOf, type Presence } from '../presence.ts';
import type { Plan } from './plan.ts';
import { workerCheck } from './worker-check.ts';

const storage = { id: 'nfs', root: '', maxConcurrent: 0, local: { path: '/mnt/nfs' } };
const plan = { source: { storage }, target: { pool: 'dr' } } as unknown as Plan;
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
    ['nobody is there', [], 'No worker of pool dr is there'],
    ['those who are there drain', [worker('a', { draining: true })], 'No worker of pool dr is there'],
    [
      'the only one cannot use the storage',
      [worker('a', { outOfReach: [away] })],
      'The only worker of pool dr cannot use',
    ],
    [
      'none can use the storage',
      [worker('a', { outOfReach: [away] }), worker('b', { outOfReach: [away] })],
      'None of the 2 workers of pool dr can use storage nfs, and the restore waits until that has changed. a: /mnt/nfs is not there.',
    ],
  ])('warns where %s', (_, present, message) => {
    expect(workerCheck(plan, present)).toMatchObject({ result: 'warn', message: expect.stringContaining(message) });
  });
});
