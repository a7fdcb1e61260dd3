import {
  BackupOrigin,
  Verification,
  VerificationLevel,
  VerificationState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { Strategy, VerificationRule } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { describe, expect, it } from 'vitest';
import type { GoodBackup } from './retention.ts';
import { dueBackup, verifies } from './verify-newest.ts';

const NOW = new Date('2026-01-31T12:00:00Z');
const BYTES = VerificationLevel.VERIFICATION_LEVEL_BYTES;
const META = VerificationLevel.VERIFICATION_LEVEL_META;
const { VERIFICATION_STATE_GOOD: GOOD, VERIFICATION_STATE_DAMAGED: DAMAGED } = VerificationState;
const { VERIFICATION_STATE_UNKNOWN: UNKNOWN, VERIFICATION_STATE_CANCELED: CANCELED } = VerificationState;
const day = (number: number) => new Date(Date.UTC(2026, 0, number, 12));
const weekly = VerificationRule.create({ level: BYTES, everyDays: 7, sample: 0.5 });

const backup = (number: number, verification?: Partial<Verification>): GoodBackup => ({
  id: `b${number}`,
  rule: 'nightly',
  origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE,
  startTime: day(number),
  holds: [],
  sizeBytes: 1n,
  damaged: verification?.damaged ?? false,
  verification: verification && Verification.create({ level: BYTES, sample: 1, ...verification }),
});
const due = (backups: readonly GoodBackup[], rule = weekly) => dueBackup(backups, rule, NOW)?.id;

describe('of the backups of a rule', () => {
  it('the newest is verified when none was', () => {
    expect(due([backup(29), backup(31), backup(30)])).toBe('b31');
    expect(due([])).toBeUndefined();
  });

  it.each<[string, Partial<Verification>, string | undefined]>([
    ['one was lately', { state: GOOD, verifiedAt: day(25) }, undefined],
    ['the last was a week ago', { state: GOOD, verifiedAt: day(24) }, 'b31'],
    ['one is being verified', { state: VerificationState.VERIFICATION_STATE_QUEUED }, undefined],
    ['less was looked at than the rule asks for', { state: GOOD, level: META, verifiedAt: day(30) }, 'b31'],
    ['a smaller part was read', { state: GOOD, sample: 0.1, verifiedAt: day(30) }, 'b31'],
    ['one could not be for some hours', { state: UNKNOWN, verifiedAt: new Date(+NOW - 3_600_000) }, undefined],
    ['one could not be since yesterday', { state: UNKNOWN, verifiedAt: day(30) }, 'b31'],
    [
      'one was canceled, and verified lately before',
      {
        state: CANCELED,
        verifiedAt: day(30),
        earlier: {
          state: GOOD,
          level: BYTES,
          sample: 1,
          verdict: '',
          problems: [],
          problemCount: 0n,
          verifiedAt: day(28),
          signature: undefined,
        },
      },
      undefined,
    ],
  ])('is looked at whether %s', (_what, verification, expected) => {
    expect(due([backup(20, verification), backup(31)])).toBe(expected);
  });

  it('what was found damaged counts for nothing, and the next older one has its turn at once', () => {
    const damaged = backup(31, { state: DAMAGED, damaged: true, verifiedAt: day(31) });
    expect(due([backup(29), backup(30), damaged])).toBe('b30');
    expect(due([damaged])).toBeUndefined();
  });

  it('the catalogue alone is verified where the rule asks for no more', () => {
    const rule = VerificationRule.create({ level: META, everyDays: 7 });
    expect(due([backup(31, { state: GOOD, level: META, verifiedAt: day(30) })], rule)).toBeUndefined();
  });

  it('none is verified while the rule is paused, or says nothing of it', () => {
    expect(verifies(Strategy.create({ verify: weekly }))).toBe(true);
    expect(verifies(Strategy.create({ verify: weekly, paused: true }))).toBe(false);
    expect(verifies(Strategy.create({ verify: weekly, fleetPaused: true }))).toBe(false);
    expect(verifies(Strategy.create({}))).toBe(false);
  });
});
