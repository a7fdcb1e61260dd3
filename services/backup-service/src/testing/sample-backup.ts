/** Test support: a backup in each state of its life, and the commands that bring it there. */
import { plus } from '@tidemark/task/time';
import { expect } from 'vitest';
import type { Backup } from '../backup.ts';
import type { Command, Decision, Limits, Outcome } from '../decide/command.ts';
import { decide } from '../decide/decide.ts';
import { start } from '../decide/start.ts';

export const SECOND = 1_000;
export const LIMITS: Limits = {
  handBackMs: 5_000,
  leaseMs: 30 * SECOND,
  reapMarginMs: 5 * SECOND,
  ringMs: 60 * SECOND,
  quietMs: 60 * SECOND,
  unlockedQuietMs: 600 * SECOND,
  retryMs: 300 * SECOND,
  failureLimit: 3,
  lossLimit: 5,
};
export const NOW = new Date('2026-01-01T00:00:00Z');
export const at = (seconds: number) => plus(NOW, seconds * SECOND);
export const reason = { code: 'X', message: 'x' };
export const result = { tso: '5', sizeBytes: 7, files: 1, tidbClusterId: '1', clusterVersion: '8.5.0' };

export const queued: Backup = start({
  _id: 'b1',
  request: { hash: 'h', id: 'r1' },
  createdBy: 'alice',
  clusterId: 'c1',
  mode: 'manual',
  origin: 'schedule',
  target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
  storage: { id: 's1', local: { path: '/s' }, maxConcurrent: 0 },
  path: 'root/c1/p',
  acceptedAt: NOW,
  deadlineMs: 86_400 * SECOND,
});

/** The backup after a command that must change it. */
export const after = (backup: Backup, command: Command, now = NOW): Backup => {
  const { next } = decide(backup, command, now, LIMITS);
  if (!next) throw new Error(`${command.kind} changed nothing`);
  return next;
};
export const answer = (backup: Backup, command: Command, now = NOW): Decision['answer'] =>
  decide(backup, command, now, LIMITS).answer;
export const untouched = (backup: Backup, command: Command, now = NOW) =>
  expect(decide(backup, command, now, LIMITS).next).toBeUndefined();

export const claim = (token = 'w1', extra: object = {}): Command => ({
  kind: 'claim',
  claim: token,
  worker: token,
  pool: 'default',
  slotKey: 'backup:b1',
  newerGood: true,
  ...extra,
});
export const starting = { argv: ['br'], brVersion: 'v8.5.0', hasLock: true };
export const renew = (fence = 1, token = 'w1', extra: object = {}): Command => ({
  kind: 'renew',
  claim: token,
  fence,
  ...extra,
});
export const complete = (outcome: Outcome, fence = 1, token = 'w1'): Command => ({
  kind: 'complete',
  claim: token,
  fence,
  outcome,
});
export const cancel = (requestId = 'c', code = {}): Command => ({
  kind: 'cancel',
  requestId,
  by: 'alice',
  reason: '',
  ...code,
});
export const remove = (kind: 'person' | 'retention' = 'person', newerGood = true, extra: object = {}): Command => ({
  kind: 'delete',
  by: { kind, name: kind },
  reason: '',
  requestId: 'd',
  newerGood,
  trashMs: 0,
  ...extra,
});

export const claimed = after(queued, claim());
export const started = after(claimed, renew(1, 'w1', { starting }));
export const unlocked = after(claimed, renew(1, 'w1', { starting: { ...starting, hasLock: false } }));
export const canceling = after(started, cancel());
export const succeeded = after(started, complete({ kind: 'succeeded', result }));
export const failed = after(started, complete({ kind: 'failed', reason }));
export const deleting = after(succeeded, remove());
export const dead = at(36); // the lease ended 6 s ago
