import { Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { expect, it } from 'vitest';
import { type Preview, previewWarnings } from './preview-warnings.ts';

const HOUR = 3_600_000;
const strategy = Strategy.create({
  days: ['Monday'],
  retention: { keepLast: 7, keepDays: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 },
});
const preview: Preview = { past: 20, tooLong: 0, longestMs: HOUR, smallestRoomMs: 2 * HOUR, stops: false };

it('has nothing to say of a strategy that surprises nobody', () => {
  expect(previewWarnings(strategy, preview)).toEqual([]);
});
it('warns when past backups took longer than the window has room', () => {
  expect(previewWarnings(strategy, { ...preview, tooLong: 3, longestMs: 2.5 * HOUR })).toEqual([
    'It may not fit: 3 of the last 20 successful backups took longer than the 2 h 0 min between start and end of the shortest window (the longest 2 h 30 min). It is left running.',
  ]);
});
it('says what stopping at the end of the window means, and how often it would have cut', () => {
  const stops = { ...preview, stops: true };
  expect(previewWarnings(strategy, stops)[0]).toContain('None of the last 20');
  expect(previewWarnings(strategy, { ...stops, past: 1 })[0]).toContain('The last successful backup would not');
  expect(previewWarnings(strategy, { ...stops, tooLong: 3, longestMs: 3 * HOUR })[0]).toMatch(
    /^A backup that has not ended .* 3 of the last 20 .* would have been cut\.$/,
  );
  expect(previewWarnings(strategy, { ...stops, past: 0, longestMs: 0 })[0]).toContain('no past backup');
});
it('says that nothing is started, or nothing ever deleted', () => {
  expect(previewWarnings({ ...strategy, days: [] }, preview)).toEqual([expect.stringContaining('No weekday')]);
  expect(previewWarnings({ ...strategy, paused: true }, preview)).toEqual([expect.stringContaining('paused')]);
  expect(previewWarnings({ ...strategy, fleetPaused: true, fleetStrategy: 'prod' }, preview)).toEqual([
    expect.stringContaining('fleet strategy prod is paused'),
  ]);
  expect(previewWarnings({ ...strategy, retention: undefined }, preview)).toEqual([
    expect.stringContaining('No retention'),
  ]);
});
