import { expect, it } from 'vitest';
import { countEnds, type RestoreAttempt } from './restore.ts';

const at = new Date(0);
const attempt = (
  kind: NonNullable<RestoreAttempt['end']>['kind'],
  fields: Partial<RestoreAttempt> = {},
): RestoreAttempt => ({
  claim: 'c',
  fence: 1,
  worker: 'w',
  startedAt: at,
  starting: { at, brVersion: 'v8.5.0', host: 'h' },
  wasPartial: false,
  outcome: 'ended',
  end: { kind, toldBy: 'worker', at },
  ...fields,
});

it('counts how often br failed, and how often it found another restore at work, but not what never came to br', () => {
  const attempts = [
    attempt('failed'),
    attempt('stopped'),
    attempt('stopped', { outcome: 'released' }),
    attempt('afterSummary', { outcome: 'lost' }),
    attempt('failedBefore'),
    attempt('wait'),
    attempt('wait', { starting: null }),
    attempt('refused'),
    attempt('failed', { end: null }),
  ];
  expect(countEnds({ attempts })).toEqual({ failures: 3, waits: 1 });
});
