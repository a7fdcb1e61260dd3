import { expect, it } from 'vitest';
import { decideRound, newRound, ROUND_LIMITS, type Round } from './round.ts';

const START = Date.UTC(2026, 11, 2);
const at = (ms: number) => new Date(START + ms);
const claim = (token: string) => ({ kind: 'claim', claim: token, worker: 'copy' }) as const;

function after(round: Round, command: Parameters<typeof decideRound>[1], ms: number): Round {
  const { next } = decideRound(round, command, at(ms));
  if (!next) throw new Error(`${command.kind} changed nothing`);
  return next;
}

it('one copy has it at a time, and keeps it as long as it goes forward', () => {
  const held = after(newRound('look', at(0)), claim('a'), 0);
  const ahead = after(held, { kind: 'advance', claim: 'a', fence: 1, cursors: { backups: at(1) } }, 50_000);
  expect(decideRound(ahead, claim('b'), at(100_000)).answer).toBe('lost');
  expect(ahead.cursors).toEqual({ backups: at(1) });
});

it('a copy that stood still has lost it, and moves no cursor any more', () => {
  const held = after(newRound('look', at(0)), claim('a'), 0);
  const { leaseMs, reapMarginMs } = ROUND_LIMITS;
  const taken = after(held, claim('b'), leaseMs + reapMarginMs + 1);
  expect(taken.fence).toBe(2);
  const late = { kind: 'advance', claim: 'a', fence: 1, cursors: { backups: at(9) } } as const;
  expect(decideRound(taken, late, at(70_000))).toEqual({ answer: 'lost' });
});

it('the next begins a pause after the end of one, and sooner where that broke off', () => {
  const held = after(newRound('look', at(0)), claim('a'), 0);
  const done = after(held, { kind: 'end', claim: 'a', fence: 1, pauseMs: 5_000 }, 1_000);
  expect(done.doneAt).toEqual(at(1_000));
  expect(decideRound(done, claim('b'), at(5_999)).answer).toBe('lost');
  expect(decideRound(done, claim('b'), at(6_000)).answer).toBe('held');
  const broken = after(held, { kind: 'release', claim: 'a', fence: 1, pauseMs: 0 }, 1_000);
  expect(broken.doneAt).toBeNull();
  expect(decideRound(broken, claim('b'), at(1_000)).answer).toBe('held');
});
