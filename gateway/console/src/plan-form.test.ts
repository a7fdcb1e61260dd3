import { create } from '@bufbuild/protobuf';
import { BrOptionsSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { VerificationRuleSchema } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { describe, expect, it } from 'vitest';
import {
  bodyOf,
  differences,
  formOf,
  NEW_PLAN,
  optionsOf,
  periodOf,
  saveOf,
  weekOf,
  windowSeconds,
} from './plan-form.ts';

const stored = (more: object = {}) => ({
  days: ['Friday', 'Monday'],
  period: '23:00-2:00',
  timeZone: 'Europe/Berlin',
  paused: false,
  retention: undefined,
  windowEnd: 0 as const,
  storageId: '',
  verify: undefined,
  brOptions: undefined,
  ...more,
});

describe('a rule that is edited', () => {
  it('is what was stored, in the order of the week', () => {
    expect(formOf(stored())).toMatchObject({
      days: ['Monday', 'Friday'],
      opens: '23:00',
      closes: '02:00',
      windowEnd: 'letRun',
    });
  });

  it.each(['23:00-2:00', '0:00-24:00', '7:05-9:00'])('keeps the hours %s', (period) => {
    expect(periodOf(formOf(stored({ period })))).toBe(period);
  });

  it('says in a save what it removes', () => {
    expect(saveOf(formOf(stored()))).toMatchObject({ keepEverything: true, neverVerify: true, days: 'Monday,Friday' });
    expect(saveOf(NEW_PLAN)).toMatchObject({ retention: { keepLast: 7, weekly: 4 } });
    expect(saveOf(NEW_PLAN)).not.toHaveProperty('keepEverything');
    expect(bodyOf(formOf(stored()))).toMatchObject({ retention: null, verify: null });
    expect(bodyOf({ ...NEW_PLAN, verifyDays: 7, verifyPercent: 10 })).toMatchObject({
      retention: { keepLast: 7, weekly: 4 },
      verify: { every: 'P7D', level: 'bytes', sample: 0.1 },
    });
    expect(optionsOf(NEW_PLAN)).toContain('--keep-last');
    expect(saveOf(NEW_PLAN)).toMatchObject({ clearBrOptions: true });
    expect(bodyOf(NEW_PLAN)).toMatchObject({ brOptions: null });
  });
});

it('a rule that is saved as it was keeps its options of br and how fast it is verified', () => {
  const brOptions = create(BrOptionsSchema, { rateLimit: 50, filters: ['shop.*'] });
  const verify = create(VerificationRuleSchema, { everyDays: 7, rateLimit: 20 });
  const form = formOf(stored({ brOptions, verify }));
  expect(saveOf(form)).toMatchObject({
    verify: { everyDays: 7, rateLimit: 20 },
    brOptions: { rateLimit: 50, filters: ['shop.*'] },
  });
  expect(saveOf(form)).not.toHaveProperty('clearBrOptions');
  expect(optionsOf(form).slice(-5)).toEqual([
    ...['--verify-rate-limit', '20'],
    ...['--br-options', '{"rateLimit":50,"filters":["shop.*"]}', '--not-paused'],
  ]);
});

describe('in a week', () => {
  it('a window lies on its day', () => {
    expect(weekOf({ days: ['Tuesday'], opens: '01:00', closes: '05:00' })).toEqual([
      { day: 1, from: 60, to: 300, isRest: false },
    ]);
  });

  it('a window over midnight lies on the next day too, and that of Sunday on Monday', () => {
    expect(weekOf({ days: ['Sunday'], opens: '23:00', closes: '02:00' })).toEqual([
      { day: 6, from: 1_380, to: 1_440, isRest: false },
      { day: 0, from: 0, to: 120, isRest: true },
    ]);
  });

  it('equal ends are a whole day', () => {
    expect(windowSeconds({ opens: '03:00', closes: '03:00' })).toBe(86_400);
    expect(weekOf({ days: ['Monday'], opens: '00:00', closes: '00:00' })).toEqual([
      { day: 0, from: 0, to: 1_440, isRest: false },
    ]);
  });
});

it('what two people changed is told in words, field by field', () => {
  const mine = { ...NEW_PLAN, opens: '02:00', keeps: { ...NEW_PLAN.keeps, keepLast: 3 } };
  expect(differences(NEW_PLAN, mine)).toEqual([
    { name: 'Window', theirs: '1:00-5:00', mine: '2:00-5:00' },
    { name: 'Retention', theirs: 'keepLast 7, weekly 4', mine: 'keepLast 3, weekly 4' },
  ]);
  expect(differences(NEW_PLAN, { ...NEW_PLAN })).toEqual([]);
});
