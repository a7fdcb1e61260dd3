import { describe, expect, it } from 'vitest';
import type { Backup, VerificationOutcome } from '../backup.ts';
import type { Command, Limits } from './command.ts';
import { decide } from './decide.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const decideNow = (backup: Backup, command: Command) => decide(backup, command, NOW, {} as Limits);
const after = (backup: Backup, command: Command): Backup => {
  const { next } = decideNow(backup, command);
  if (!next) throw new Error(`${command.kind} changed nothing`);
  return next;
};

const good = {
  _id: 'b1',
  state: 'Succeeded',
  deletion: { state: 'None' },
  holds: ['pin:p'] as string[],
} as unknown as Backup;
const outcome = (state: VerificationOutcome['state']): VerificationOutcome => ({
  state,
  level: 'bytes',
  sample: 1,
  sentence: `It is ${state}.`,
  problemCount: 0,
  at: NOW,
});
const verified = (run: number, last = outcome('Good')): Command => ({ kind: 'verified', run, last, counts: last });

describe('the record of a backup that is verified', () => {
  it('is held for the run, beside its other holds, and once', () => {
    const held = after(good, { kind: 'verify', run: 1 });
    expect(held).toMatchObject({ holds: ['pin:p', 'verify:1'], verification: { run: 1, active: true } });
    expect(decideNow(held, { kind: 'verify', run: 1 }).next).toBeUndefined();
  });

  it('gives the hold back with the outcome, and once', () => {
    const over = after(after(good, { kind: 'verify', run: 1 }), verified(1));
    expect(over).toMatchObject({ holds: ['pin:p'], verification: { run: 1, active: false, last: { state: 'Good' } } });
    expect(decideNow(over, verified(1)).next).toBeUndefined();
  });

  it('is not held by a slow copy for a run that is over, nor ended by one for the run that follows (Y3)', () => {
    const canceled = after(good, verified(1, outcome('Canceled')));
    expect(decideNow(canceled, { kind: 'verify', run: 1 }).next).toBeUndefined();
    const second = after(canceled, { kind: 'verify', run: 2 });
    expect(decideNow(second, verified(1)).next).toBeUndefined();
    expect(second).toMatchObject({ holds: ['pin:p', 'verify:2'], verification: { last: { state: 'Canceled' } } });
  });

  const at = (seconds: number, state: VerificationOutcome['state'] = 'Damaged') => ({
    ...outcome(state),
    at: new Date(NOW.getTime() + seconds * 1000),
  });
  const found = (seconds: number): Command => ({ kind: 'foundUnsound', found: at(seconds) });

  it('says that it is damaged where a restore found that, once, also of a backup that was never verified', () => {
    const damaged = after(good, found(1));
    expect(damaged).toMatchObject({
      holds: ['pin:p'],
      verification: { active: false, last: { state: 'Damaged' }, counts: { state: 'Damaged', at: at(1).at } },
    });
    expect(decideNow(damaged, found(1)).next).toBeUndefined();
    expect(after(damaged, { kind: 'verify', run: 1 }).verification).toMatchObject({ run: 1, active: true });
  });

  it('goes by the verdict that came last, of a restore or of a verification', () => {
    const held = after(after(good, { kind: 'verify', run: 1 }), found(2));
    expect(held).toMatchObject({ holds: ['pin:p', 'verify:1'], verification: { run: 1, active: true } });
    const before = after(held, verified(1, at(1, 'Good')));
    expect(before).toMatchObject({
      holds: ['pin:p'],
      verification: { last: { state: 'Good' }, counts: { state: 'Damaged' } },
    });
    const since = after(held, verified(1, at(3, 'Good')));
    expect(since.verification).toMatchObject({ counts: { state: 'Good' } });
    expect(decideNow(since, found(2)).next).toBeUndefined();
    expect(after(since, found(4)).verification).toMatchObject({
      last: { state: 'Good' },
      counts: { state: 'Damaged' },
    });
    const canceled = { kind: 'verified', run: 1, last: at(5, 'Canceled') } as const;
    expect(after(held, canceled).verification).toMatchObject({ counts: { state: 'Damaged' } });
  });

  it('remembers that it was signed, whatever is found later', () => {
    const signed = { ...at(1, 'Good'), signature: { state: 'good' } } as const;
    const once = after(after(good, { kind: 'verify', run: 1 }), verified(1, signed));
    expect(once.verification).toMatchObject({ signed: true });
    const harmed = after(once, found(2));
    const second = after(harmed, { kind: 'verify', run: 2 });
    const last = at(3, 'Canceled');
    expect(after(second, { kind: 'verified', run: 2, last }).verification).toMatchObject({ signed: true });
    const never = after(after(good, { kind: 'verify', run: 1 }), verified(1, at(1, 'Good')));
    expect(never.verification).not.toHaveProperty('signed');
  });

  it('stays damaged where a restore found that, and a signature is missed later', () => {
    const held = after(after(good, { kind: 'verify', run: 1 }), found(2));
    const missed = at(3, 'Unknown');
    const over = after(held, { kind: 'verified', run: 1, last: missed, counts: missed });
    expect(over.verification).toMatchObject({ last: { state: 'Unknown' }, counts: { state: 'Damaged' } });
    const before = after(after(good, { kind: 'verify', run: 1 }), {
      ...{ kind: 'verified', run: 1, last: missed, counts: missed },
    });
    expect(after(before, found(2)).verification).toMatchObject({ counts: { state: 'Damaged' } });
  });

  it.each<[string, Partial<Backup>]>([
    ['did not succeed', { state: 'Failed' }],
    ['is being deleted', { deletion: { state: 'Requested' } }],
    ['is deleted', { deletion: { state: 'Deleted' } }],
  ])('is not held where the backup %s', (_, fields) => {
    const decision = decideNow({ ...good, ...fields }, { kind: 'verify', run: 1 });
    expect(decision).toEqual({ answer: { kind: 'refused', why: 'notGood' } });
  });
});
