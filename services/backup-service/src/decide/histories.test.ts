/**
 * Random histories of a backup against `decide`: workers that crash, lose answers, come late and twice, drain; cancels by
 * people and by rules, deletions at once and by way of the bin, holds, pins, nudges and strays at any point. After every step the invariants of the design hold, and when the faults stop
 * the backup comes to rest.
 */

import { plus } from '@tidemark/task/time';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Backup, isActive, isTrashed } from '../backup.ts';
import type { Command, Limits, Outcome } from './command.ts';
import { decide } from './decide.ts';
import { start } from './start.ts';

const LIMITS: Limits = {
  handBackMs: 5_000,
  leaseMs: 30_000,
  reapMarginMs: 5_000,
  ringMs: 60_000,
  quietMs: 60_000,
  unlockedQuietMs: 600_000,
  retryMs: 300_000,
  failureLimit: 3,
  lossLimit: 5,
};
const TRASH_MS = 3_600_000;
const START = new Date('2026-01-01T00:00:00Z');
const reason = { code: 'X', message: 'x' };
const result = { tso: '5', sizeBytes: 7, files: 1, tidbClusterId: '1', clusterVersion: '8.5.0' };

const fresh = (): Backup =>
  start({
    _id: 'b1',
    request: { hash: 'h', id: 'r1' },
    createdBy: 'alice',
    clusterId: 'c1',
    mode: 'manual',
    origin: 'schedule',
    target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
    storage: { id: 's1', local: { path: '/s' }, maxConcurrent: 0 },
    path: 'root/c1/p',
    acceptedAt: START,
    deadlineMs: 86_400 * 1_000,
  });

const FINAL = ['Succeeded', 'Failed', 'Canceled'];

function checkState(backup: Backup): void {
  const { state, task, leftovers, activeKey, slotKey, path } = backup;
  const active = isActive(backup);
  expect(activeKey).toBe(active ? 'cluster:c1' : 'backup:b1');
  if (state === 'Queued' || !active) expect(slotKey).toBe('backup:b1');
  if (active) expect(task?.kind).toBe('backup');
  else expect(task?.kind === 'remove').toBe(leftovers.length > 0);
  if (!active && leftovers.length === 0) expect(task).toBeNull();
  if (task) {
    expect(task.ringAt).toBeInstanceOf(Date);
    expect(task.notBefore).toBeInstanceOf(Date);
    const owned = task.claim !== undefined;
    expect(task.leaseUntil !== undefined).toBe(owned);
    if (state === 'Queued') expect(owned).toBe(false);
    if (state === 'Running' || state === 'Canceling') expect(owned).toBe(true);
  }
  expect(new Set(leftovers.map((leftover) => leftover.path)).size).toBe(leftovers.length);
  if (active) expect(leftovers.map((leftover) => leftover.path)).not.toContain(path);
  if (state === 'Succeeded' && backup.deletion.state === 'None') {
    expect(backup.result).not.toBeNull();
    expect(leftovers.map((leftover) => leftover.path)).not.toContain(path);
  }
  if (state === 'Canceled') expect(backup.cancel).not.toBeNull();
  if (state === 'Canceled') expect(backup.reason?.code).toBe(backup.cancel?.code);
  if (backup.holds.length > 0) {
    expect(state).toBe('Succeeded');
    expect(['None', 'Trashed']).toContain(backup.deletion.state);
  }
  expect(backup.holds.filter((hold) => hold.startsWith('pin:')).length).toBeLessThanOrEqual(1);
}

function checkStep(before: Backup, after: Backup, seenPaths: Set<string>): void {
  expect(after.fence).toBeGreaterThanOrEqual(before.fence);
  expect(after.losses).toBeGreaterThanOrEqual(before.losses);
  expect(after.failures).toBeGreaterThanOrEqual(before.failures);
  expect(after.attempts.length).toBeGreaterThanOrEqual(before.attempts.length);
  expect(after.basePath).toBe(before.basePath);
  if (FINAL.includes(before.state)) expect(after.state).toBe(before.state);
  if (before.state === 'Canceling') expect(['Canceling', 'Canceled']).toContain(after.state);
  // T10: a path that was left is never taken again.
  if (after.path !== before.path) expect(seenPaths).not.toContain(after.path);
  seenPaths.add(after.path);
}

interface Claim {
  readonly token: string;
  readonly fence: number;
  readonly kind: 'backup' | 'remove';
  readonly path: string;
  readonly paths: readonly string[];
}

const steps = fc.array(
  fc.record({
    act: fc.constantFrom(
      ...([
        'poll',
        'nudge',
        'retry',
        'claim',
        'claim',
        'renew',
        'start',
        'complete',
        'complete',
        'release',
        'stray',
        'cancel',
        'windowClosed',
        'delete',
        'retention',
        'undelete',
        'expire',
        'hold',
        'unhold',
        'pin',
        'unpin',
        'forget',
        'remember',
        'repeat',
        'crash',
      ] as const),
    ),
    seconds: fc.constantFrom(0, 1, 5, 20, 40, 70, 310, 3_700),
    pick: fc.nat(5),
    outcome: fc.constantFrom(
      ...(['succeeded', 'failed', 'retry', 'newPath', 'wait', 'stopped', 'removed', 'removeFailed'] as const),
    ),
    flag: fc.boolean(),
  }),
  { minLength: 5, maxLength: 60 },
);

function outcomeOf(kind: string, paths: readonly string[]): Outcome {
  switch (kind) {
    case 'succeeded':
      return { kind, result };
    case 'failed':
    case 'removeFailed':
      return { kind, reason };
    case 'retry':
    case 'newPath':
      return { kind, reason };
    case 'wait':
      return { kind, waitMs: 10_000, reason };
    case 'removed':
      return { kind, paths, bytes: 1 };
    default:
      return { kind: 'stopped' };
  }
}

it('keeps its invariants through any history, and ends when the faults stop', () => {
  fc.assert(
    fc.property(steps, (history) => {
      let backup = fresh();
      let now = START;
      let tokens = 0;
      const claims: Claim[] = [];
      const sent: Command[] = [];
      const seenPaths = new Set([backup.path]);
      let canceledAnswer = false;

      const apply = (command: Command) => {
        const decision = decide(backup, command, now, LIMITS);
        const again = decide(backup, command, now, LIMITS);
        expect(again).toEqual(decision); // pure
        if (decision.next) {
          checkStep(backup, decision.next, seenPaths);
          backup = { ...decision.next, revision: backup.revision + 1 };
          checkState(backup);
        }
        sent.push(command);
        return decision.answer;
      };
      const claim = (flag: boolean) => {
        tokens += 1;
        const token = `t${tokens}`;
        const before = backup.task?.notBefore;
        const answer = apply({
          kind: 'claim',
          claim: token,
          worker: token,
          pool: 'default',
          slotKey: 'backup:b1',
          newerGood: flag,
        });
        if (answer.kind === 'backupGrant' || answer.kind === 'removeGrant') expect(before && before <= now).toBe(true);
        if (answer.kind === 'backupGrant')
          claims.push({ token, fence: answer.fence, kind: 'backup', path: answer.path, paths: [] });
        if (answer.kind === 'removeGrant')
          claims.push({ token, fence: answer.fence, kind: 'remove', path: '', paths: answer.paths });
      };

      for (const { act, seconds, pick, outcome, flag } of history) {
        now = plus(now, seconds * 1000);
        const holder = claims[claims.length - 1 - (pick % Math.max(1, claims.length))];
        switch (act) {
          case 'poll':
            apply({ kind: 'reap' });
            apply({ kind: 'ring' });
            break;
          case 'nudge':
            apply({ kind: 'nudge' });
            break;
          case 'retry':
            apply({ kind: 'retry' });
            break;
          case 'claim':
            claim(flag);
            break;
          case 'renew':
          case 'start':
            if (holder)
              apply({
                kind: 'renew',
                claim: holder.token,
                fence: holder.fence,
                ...(act === 'start' && { starting: { argv: ['br'], brVersion: 'v', hasLock: flag } }),
              });
            break;
          case 'complete':
            if (holder)
              apply({
                kind: 'complete',
                claim: holder.token,
                fence: holder.fence,
                outcome: outcomeOf(outcome, holder.paths),
              });
            break;
          case 'release':
            if (holder) apply({ kind: 'release', claim: holder.token, ...(flag && { fence: holder.fence }) });
            break;
          case 'stray':
            if (holder?.kind === 'backup')
              apply({ kind: 'stray', claim: holder.token, fence: holder.fence, path: holder.path });
            break;
          case 'cancel':
          case 'windowClosed': {
            const code = act === 'windowClosed' ? { code: 'WINDOW_CLOSED' } : {};
            if (apply({ kind: 'cancel', requestId: `c${pick}`, by: 'a', reason: '', ...code }).kind === 'ok')
              canceledAnswer = true;
            break;
          }
          case 'delete':
          case 'retention':
            apply({
              kind: 'delete',
              by: { kind: act === 'delete' ? 'person' : 'retention', name: act },
              reason: '',
              requestId: 'd',
              newerGood: flag,
              trashMs: pick > 2 ? TRASH_MS : 0,
            });
            break;
          case 'undelete':
            apply({ kind: 'undelete', requestId: 'u' });
            break;
          case 'expire':
            apply({ kind: 'expire', newerGood: flag });
            break;
          case 'hold':
          case 'unhold':
            apply({ kind: act, id: `h${pick}` });
            break;
          case 'pin':
            apply({ kind: 'pin', id: `pin:${pick}` });
            break;
          case 'unpin':
            apply({ kind: 'unpin' });
            break;
          case 'forget':
            apply({ kind: 'forget', by: { kind: 'person', name: 'root' }, reason: '', requestId: 'f', gone: flag });
            break;
          case 'remember':
            apply({ kind: 'remember', storage: backup.storage });
            break;
          case 'repeat': {
            const late = sent[sent.length - 1 - (pick % Math.max(1, sent.length))];
            if (late) apply(late);
            break;
          }
          case 'crash':
            now = plus(now, 40_000); // long enough for the lease to end
            break;
        }
        if (canceledAnswer && FINAL.includes(backup.state)) expect(backup.state).toBe('Canceled');
        expect(backup.failures).toBeLessThanOrEqual(LIMITS.failureLimit);
        expect(backup.losses).toBeLessThanOrEqual(LIMITS.lossLimit + 1);
      }

      // The faults stop: dispatcher and one honest worker bring it to rest.
      const isAtRest = () =>
        !backup.task || (isTrashed(backup) && backup.holds.length > 0 && backup.leftovers.length === 1);
      for (let round = 0; round < 60 && !isAtRest(); round += 1) {
        now = plus(now, 700_000);
        apply({ kind: 'expire', newerGood: true });
        apply({ kind: 'reap' });
        claim(true);
        const last = claims.at(-1);
        if (!last || backup.task?.claim !== last.token) continue;
        const honest = last.kind === 'remove' ? 'removed' : backup.state === 'Canceling' ? 'stopped' : 'succeeded';
        apply({ kind: 'complete', claim: last.token, fence: last.fence, outcome: outcomeOf(honest, last.paths) });
      }
      expect(isAtRest()).toBe(true);
      expect(FINAL).toContain(backup.state);
    }),
    { numRuns: 1_500 },
  );
});
