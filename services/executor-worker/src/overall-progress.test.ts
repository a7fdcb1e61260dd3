import { expect, it } from 'vitest';
import { createOverallProgress } from './overall-progress.ts';

const line = (step: string, percent: number | undefined) => ({
  step,
  percent,
  remainingSeconds: 1,
  speed: '',
  count: '',
});

it('makes one percentage of all steps that never goes back', () => {
  const overall = createOverallProgress();
  const seen = [
    line('Full Backup', 40),
    line('Full Backup', 20),
    line('Full Backup', undefined),
    line('Full Backup', 100),
    line('Checksum', undefined),
    line('Checksum', 0),
    line('Checksum', 100),
  ].map((one) => overall(one).percent);
  expect(seen).toEqual([38, 38, 38, 95, 95, 95, 100]);
});

it('says the percentage as exactly as br does, with two decimals', () => {
  expect(createOverallProgress()(line('Full Backup', 51.67)).percent).toBe(49.09);
});
