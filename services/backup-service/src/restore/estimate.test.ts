import { expect, it } from 'vitest';
import { estimateOf, type TimedRestore, withLog } from './estimate.ts';

const GIB = 1024 ** 3;
const timed = (gib: number, seconds: number): TimedRestore => ({ sizeBytes: gib * GIB, seconds });

it('is made of what those who wrote br measured, until a restore into the cluster shows how fast that is', () => {
  const measured = {
    seconds: 3_496,
    basis: '100 MiB a second and TiKV, of which there are 3: no earlier restore into the cluster shows how fast it is.',
  };
  expect(estimateOf(1_024 * GIB, [], false)).toEqual(measured);
  // Of a few seconds br spends the most on other things than rows; of a part nobody knows the size.
  expect(estimateOf(1_024 * GIB, [timed(0.1, 8), timed(0, 600)], false)).toEqual(measured);
});

it('is made of the last restores into the cluster together, and of no older ones', () => {
  expect(estimateOf(100 * GIB, [timed(10, 1_000)], false)).toEqual({
    seconds: 10_000,
    basis: '10.2 MiB a second, as the last restore into the cluster took it.',
  });
  const many = Array.from({ length: 7 }, (_, at) => timed(at < 5 ? 10 : 1_000, 1_000));
  expect(estimateOf(100 * GIB, many, false)).toEqual({
    seconds: 10_000,
    basis: '10.2 MiB a second, as the last 5 restores into the cluster took it.',
  });
});

it('says of a part that it is for the whole', () => {
  expect(estimateOf(GIB, [], true).basis).toMatch(
    /\. It is for the whole backup; what the filter chooses may take less\.$/,
  );
  expect(estimateOf(GIB, [timed(10, 1_000)], true).basis).toContain('for the whole backup');
});

it('is nothing of a backup without a known size', () => expect(estimateOf(0, [], false).seconds).toBe(0));

it('adds for a point in time what an hour of log took before, and says where nothing tells that', () => {
  const ofBackup = { seconds: 600, basis: 'So much.' };
  expect(withLog(ofBackup, 7_200, [])).toEqual({
    seconds: 600,
    basis: 'So much. What the log adds is not in it.',
  });
  expect(withLog(ofBackup, 7_200, [{ spanSeconds: 3_600, seconds: 90 }])).toEqual({
    seconds: 780,
    basis:
      'So much. In it are 90 s for each hour of the log, as the last restore to a point in time took it, of whichever cluster.',
  });
  const many = Array.from({ length: 7 }, (_, at) => ({ spanSeconds: 3_600, seconds: at < 5 ? 36 : 3_600 }));
  expect(withLog(ofBackup, 3_600, many)).toMatchObject({
    seconds: 636,
    basis: expect.stringMatching(/36 s for each hour of the log, as the last 5 restores to a point/),
  });
});
