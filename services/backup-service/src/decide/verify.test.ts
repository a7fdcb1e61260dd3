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

  it.each<[string, Partial<Backup>]>([
    ['did not succeed', { state: 'Failed' }],
    ['is being deleted', { deletion: { state: 'Requested' } }],
    ['is deleted', { deletion: { state: 'Deleted' } }],
  ])('is not held where the backup %s', (_, fields) => {
    const decision = decideNow({ ...good, ...fields }, { kind: 'verify', run: 1 });
    expect(decision).toEqual({ answer: { kind: 'refused', why: 'notGood' } });
  });
});
