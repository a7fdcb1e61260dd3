/**
 * Every order in which two copies of the service, each of which may stand still or die between two writes, carry out the
 * steps of a verification while people ask for it, cancel it and delete its backup (Y1 to Y3 of `verification.ts`).
 */
import { plus } from '@tidemark/task/time';
import { expect, it } from 'vitest';
import { type Backup, verificationHold } from './backup.ts';
import type { Command, Limits } from './decide/command.ts';
import { decide } from './decide/decide.ts';
import { start } from './decide/start.ts';
import { isEnded, toRecord, type Verification } from './verification.ts';
import { decideVerification, newVerification, type VerificationCommand } from './verification-transitions.ts';

const SECOND = 1_000;
const LIMITS: Limits = {
  handBackMs: 5 * SECOND,
  leaseMs: 30 * SECOND,
  reapMarginMs: 5 * SECOND,
  ringMs: 60 * SECOND,
  quietMs: 60 * SECOND,
  unlockedQuietMs: 600 * SECOND,
  retryMs: 300 * SECOND,
  failureLimit: 3,
  lossLimit: 5,
};
const BEGAN = new Date('2026-01-01T00:00:00Z');
const NOW = plus(BEGAN, 86_400 * SECOND);

const good: Backup = {
  ...start({
    _id: 'b1',
    request: { hash: 'h', id: 'r1' },
    createdBy: 'alice',
    clusterId: 'c1',
    mode: 'manual',
    origin: 'request',
    target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
    storage: { id: 's1', local: { path: '/s' }, maxConcurrent: 0 },
    path: 'root/c1/p',
    acceptedAt: BEGAN,
    deadlineMs: 3_600 * SECOND,
  }),
  state: 'Succeeded',
  task: null,
};
const wishOf = (backup: Backup) =>
  ({
    backup,
    storageDigest: 'd',
    level: 'meta',
    sample: 1,
    rateLimit: 0,
    createdBy: 'alice',
    requestId: 'r1',
  }) as const;

/** What a copy is about to write; what it read before is what it goes by. */
type Pending =
  | { readonly what: 'hold' | 'tell'; readonly run: number; readonly isHeld?: boolean }
  | { readonly what: 'record' | 'forget'; readonly read: Verification };

interface World {
  readonly backup: Backup;
  readonly verification: Verification;
  readonly copies: readonly (Pending | null)[];
  readonly wishes: { readonly ask: number; readonly cancel: number; readonly remove: number; readonly crash: number };
}

const onBackup = (world: World, command: Command): World => ({
  ...world,
  backup: decide(world.backup, command, NOW, LIMITS).next ?? world.backup,
});
const onVerification = (world: World, command: VerificationCommand): World => ({
  ...world,
  verification: decideVerification(world.verification, command, NOW, LIMITS).next ?? world.verification,
});

function* wishes(world: World): Generator<World> {
  const left = world.wishes;
  if (left.ask > 0)
    yield {
      ...onVerification(world, { kind: 'ask', wish: wishOf(world.backup) }),
      wishes: { ...left, ask: left.ask - 1 },
    };
  if (left.cancel > 0)
    yield { ...onVerification(world, { kind: 'cancel' }), wishes: { ...left, cancel: left.cancel - 1 } };
  if (left.remove > 0) {
    const by = { kind: 'person', name: 'alice' } as const;
    const removed = onBackup(world, { kind: 'delete', by, reason: '', requestId: 'd', newerGood: true, trashMs: 0 });
    yield { ...removed, wishes: { ...left, remove: left.remove - 1 } };
  }
}

/** A worker that begins and ends at once. */
function* work(world: World): Generator<World> {
  const claim = `t${world.verification.fence}`;
  const begun = onVerification(world, { kind: 'claim', claim, worker: 'w', pool: 'default', slotKey: 's' });
  if (begun.verification.state !== 'Running') return;
  const { fence } = begun.verification;
  const outcome = { kind: 'verified', state: 'Good', sentence: '', problems: [], problemCount: 0 } as const;
  yield onVerification(begun, { kind: 'complete', claim, fence, outcome });
}

function* copying(world: World, index: number): Generator<World> {
  const { verification, copies } = world;
  const pending = copies[index];
  const then = (next: World, now: Pending | null): World => ({ ...next, copies: copies.with(index, now) });
  if (!pending) {
    if (verification.task === null) return;
    if (isEnded(verification)) yield then(world, { what: 'record', read: verification });
    else if (!verification.held) yield then(world, { what: 'hold', run: verification.run });
    return;
  }
  if (world.wishes.crash > 0)
    yield { ...then(world, null), wishes: { ...world.wishes, crash: world.wishes.crash - 1 } };
  switch (pending.what) {
    case 'hold': {
      const { run } = pending;
      const held = onBackup(world, { kind: 'verify', run });
      const known = held.backup.verification;
      yield then(held, { what: 'tell', run, isHeld: known?.run === run && known.active });
      return;
    }
    case 'tell':
      yield then(onVerification(world, { kind: pending.isHeld ? 'held' : 'notHeld', run: pending.run }), null);
      return;
    case 'record':
      yield then(onBackup(world, { kind: 'verified', ...toRecord(pending.read) }), { ...pending, what: 'forget' });
      return;
    case 'forget':
      yield then(onVerification(world, { kind: 'recorded', run: pending.read.run }), null);
  }
}

function requireSound({ backup, verification }: World): void {
  const { held, run, task } = verification;
  if (held && !isEnded(verification)) {
    expect(backup.holds, 'the backup is held while a worker may read it').toEqual([verificationHold(run)]);
    expect(backup.deletion.state, 'what is read is not deleted').toBe('None');
  }
  if (task === null) {
    expect(backup.holds, 'no hold outlives its verification').toEqual([]);
    expect(backup.verification, 'the outcome is on the record').toMatchObject({ run, active: false });
  }
}

it('holds its backup exactly as long as it may be read, whichever copy does which step, and how late', () => {
  const first: World = {
    backup: good,
    verification: newVerification(wishOf(good), NOW),
    copies: [null, null],
    wishes: { ask: 1, cancel: 1, remove: 1, crash: 1 },
  };
  const seen = new Set<string>();
  const open = [first];
  let ended = 0;
  for (let world = open.pop(); world; world = open.pop()) {
    const { backup, verification, ...rest } = world;
    const { revision: _, ...known } = verification;
    const key = JSON.stringify([backup.holds, backup.deletion.state, backup.verification, known, rest]);
    if (seen.has(key)) continue;
    seen.add(key);
    requireSound(world);
    const next = [
      ...wishes(world),
      ...work(world),
      ...world.copies.flatMap((_one, index) => [...copying(world, index)]),
    ];
    if (next.length === 0) {
      ended += 1;
      expect(verification.task, 'nothing is left to be done in the end').toBeNull();
    }
    open.push(...next);
  }
  expect(seen.size).toBeGreaterThan(1_000);
  expect(ended).toBeGreaterThan(1);
});
