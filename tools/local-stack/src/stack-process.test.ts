import { expect, it } from 'vitest';
import { stopGraceMs } from './stack-process.ts';

it('leaves a worker the time of its drain before it is killed, and everybody else as long as without one', () => {
  const drain = { TIDEMARK_DRAIN_SECONDS: '36000' };
  expect(stopGraceMs('executor-worker', {})).toBe(30_000);
  expect(stopGraceMs('executor-worker', drain)).toBe(36_030_000);
  expect(stopGraceMs('backup-service', drain)).toBe(30_000);
  // The worker refuses to start with that, and must be stopped all the same.
  expect(stopGraceMs('executor-worker', { TIDEMARK_DRAIN_SECONDS: 'long' })).toBe(30_000);
});
