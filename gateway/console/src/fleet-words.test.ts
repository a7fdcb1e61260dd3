import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  ActiveBackupSchema,
  BackupState,
  EndedBackupSchema,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { FleetVerdict } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { describe, expect, it } from 'vitest';
import { firstOf, fleetSentence, labelOf, totalsOf, whyOf } from './fleet-words.ts';

const { NEVER, VERY_LATE, LATE, NO_PLAN, IN_TIME } = FleetVerdict;
const sentence = (counts: Partial<Record<number, number>>, isFiltered = false) =>
  fleetSentence(
    totalsOf(Object.entries(counts).map(([verdict, count = 0]) => ({ verdict: Number(verdict), count }))),
    isFiltered,
  );

describe('the sentence about the fleet', () => {
  it.each([
    [{ [NEVER]: 1, [LATE]: 2, [IN_TIME]: 77 }, '3 of 80 clusters have no good backup in time'],
    [{ [VERY_LATE]: 1, [IN_TIME]: 1 }, '1 of 2 clusters has no good backup in time'],
    [{ [NO_PLAN]: 2, [IN_TIME]: 78 }, '2 of 80 clusters have no plan; all others are safe'],
    [{ [NO_PLAN]: 3 }, 'None of 3 clusters has a plan'],
    [{ [NO_PLAN]: 1 }, 'The only cluster has no plan'],
    [{ [IN_TIME]: 10_000 }, 'All 10,000 clusters are safe'],
    [{ [IN_TIME]: 1 }, 'The only cluster is safe'],
    [{}, 'No cluster is registered yet'],
  ])('%j', (counts, expected) => expect(sentence(counts)).toBe(expected));

  it('says that filters are in force', () => {
    expect(sentence({ [LATE]: 1, [IN_TIME]: 4 }, true)).toBe('1 of these 5 clusters has no good backup in time');
    expect(sentence({ [IN_TIME]: 4 }, true)).toBe('All these 4 clusters are safe');
    expect(sentence({}, true)).toBe('No cluster fits these filters');
  });
});

describe('why a cluster has its verdict', () => {
  const now = 1_800_000_000_000;
  const goodEndTime = timestampFromMs(now - 3 * 86_400_000);
  it.each([
    [{ verdict: NEVER, goodEndTime: undefined, intervalSeconds: 86_400 }, 'no good backup yet, planned every day'],
    [{ verdict: VERY_LATE, goodEndTime, intervalSeconds: 86_400 }, 'newest good backup 3 d old, planned every day'],
    [{ verdict: NO_PLAN, goodEndTime, intervalSeconds: 0 }, 'no rule plans any backup; newest good backup 3 d old'],
    [{ verdict: NO_PLAN, goodEndTime: undefined, intervalSeconds: 0 }, 'no rule plans any backup; no good backup'],
  ])('%#', (row, expected) => expect(whyOf(row, now)).toBe(expected));

  const fresh = { verdict: NEVER, goodEndTime: undefined, intervalSeconds: 86_400 };
  const nextStartTime = timestampFromMs(now + 12 * 60_000);
  const active = (state: BackupState) => ({ nextStartTime, active: create(ActiveBackupSchema, { state }) });
  it.each([
    [{ nextStartTime }, 'first backup due in 12 min'],
    [{ nextStartTime: timestampFromMs(now - 1_000) }, 'first backup due now'],
    [active(BackupState.RUNNING), 'the first one runs'],
    [active(BackupState.QUEUED), 'the first one waits for its turn'],
  ])('of one that has had no backup it says when the first is due: %#', (row, expected) => {
    expect(whyOf({ ...fresh, ...row }, now)).toBe(`no good backup yet, planned every day, ${expected}`);
    expect(
      firstOf(
        [
          { ...fresh, nextStartTime: timestampFromMs(now + 7_200_000) },
          { ...fresh, ...row },
        ],
        now,
      ),
    ).toBe(expected);
  });

  it('of one whose backups failed it promises no first one', () => {
    const last = create(EndedBackupSchema, { state: BackupState.FAILED });
    expect(whyOf({ ...fresh, nextStartTime, last }, now)).toBe('no good backup yet, planned every day');
    expect(firstOf([{ nextStartTime }, { nextStartTime, last }], now)).toBeUndefined();
    expect(firstOf([{}], now)).toBeUndefined();
  });
});

it('a label is a key and a value, which may hold the sign between them', () => {
  expect([labelOf('env=prod'), labelOf('a=b=c'), labelOf('env='), labelOf('env'), labelOf('=x')]).toEqual([
    ['env', 'prod'],
    ['a', 'b=c'],
    ['env', ''],
    undefined,
    undefined,
  ]);
});
