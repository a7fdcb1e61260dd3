/** What is said of a restore whose worker was lost, while it goes on by itself and once a person sees to it. */
import { afterEach, expect, it, vi } from 'vitest';
import { log } from '../logger.ts';
import type { RestoreCommand } from './decide/command.ts';
import { decideRestore } from './decide/decide.ts';
import { startRestore } from './decide/start.ts';
import { restoreChanged } from './events.ts';
import type { Restore } from './restore.ts';
import { cleanupOf } from './restore-message.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const NOW = Date.parse('2026-12-01T12:00:00Z');
const LIMITS = {
  ...{ leaseMs: 30 * SECOND, reapMarginMs: 5 * SECOND, ringMs: MINUTE },
  ...{ restMs: 5 * MINUTE, lossRestMs: 10 * MINUTE, deadlineMs: 10_000 * MINUTE },
};
const at = (ms: number) => new Date(NOW + ms);
const after = (restore: Restore, command: RestoreCommand, ms: number): Restore => {
  const { next, answer } = decideRestore(restore, command, at(ms), LIMITS);
  if (!next) throw new Error(`${command.kind} changed nothing: ${JSON.stringify(answer)}`);
  return next;
};

const accepted = startRestore({
  _id: 'r1',
  request: { hash: 'h', id: 'of the start' },
  createdBy: 'alice',
  source: { backupId: 'b1', clusterId: 'c1', storage: { id: 's1', maxConcurrent: 0 } },
  target: { clusterId: 'c2', pd: ['10.0.0.2:2379'], version: '8.5.0', pool: 'default', strictLoss: false },
  plan: { hash: 'p', acknowledged: [], confirmedBy: 'alice' },
  options: { extra: {} },
  ...{ acceptedAt: at(0), deadlineMs: LIMITS.deadlineMs },
} as unknown as Parameters<typeof startRestore>[0]);
type Starting = NonNullable<Extract<RestoreCommand, { kind: 'renew' }>['starting']>;
const claim = (token: string): RestoreCommand => ({
  kind: 'claim',
  ...{ claim: token, worker: 'w1', pool: 'default', brVersions: ['v8.5.0'], replaysLogs: true, slotKey: 'restore:r1' },
});
const starting: Starting = { brVersion: 'v8.5.0', host: 'h1', hasCheckpoint: true, argv: ['restore', 'full'] };
const began = (restore: Restore, token: string, ms: number, start: Starting = starting) => {
  const granted = after(restore, claim(token), ms);
  return after(granted, { kind: 'renew', claim: token, fence: granted.fence, starting: start }, ms);
};
const OF_A_POINT = { tso: '7', generation: 1, path: 'c1/log-1-x', storage: accepted.source.storage };

it('of a point in time is left to workers that replay logs', () => {
  const held = after(accepted, { kind: 'held' }, 0);
  const toPoint = { ...held, source: { ...held.source, point: OF_A_POINT } };
  const asked = claim('t1');
  const byAnEarlierOne = { ...asked, replaysLogs: false } as RestoreCommand;
  expect(decideRestore(toPoint, byAnEarlierOne, at(0), LIMITS)).toEqual({ answer: { kind: 'lost' } });
  expect(after(toPoint, asked, 0).state).toBe('Running');
  expect(after(held, byAnEarlierOne, 0).state).toBe('Running');
});

const running = began(after(accepted, { kind: 'held' }, 0), 't1', SECOND);
const lost = after(running, { kind: 'reap' }, MINUTE);

it('tells from its beginning on that garbage collection was off before, and of no attempt that may have turned it off', () => {
  const held = after(accepted, { kind: 'held' }, 0);
  const toPoint = { ...held, source: { ...held.source, point: OF_A_POINT } };
  const off = (address: string) => ({ ...starting, collection: { off: [address], unseen: 0 } });
  const begun = began(toPoint, 't1', SECOND, off('10.0.0.2:20180'));
  const item = { what: 'collectionOff', message: expect.stringContaining('at 10.0.0.2:20180)'), seenAt: at(SECOND) };
  expect(cleanupOf(begun, at(2 * SECOND))).toMatchObject([item]);
  const waiting = after(begun, { kind: 'reap' }, MINUTE);
  expect(cleanupOf(waiting, at(20 * MINUTE))).toMatchObject([item]);
  const again = began(waiting, 't2', 20 * MINUTE, off('10.0.0.9:20180'));
  expect(cleanupOf(again, at(20 * MINUTE))).toMatchObject([item]);
});

afterEach(() => vi.restoreAllMocks());

it('goes on by itself, says so, and asks nobody to clean its target meanwhile', () => {
  expect(lost).toMatchObject({
    state: 'Queued',
    targetState: 'Partial',
    reason: { code: 'LOST', message: expect.stringContaining('The restore goes on by itself') },
  });
  const items = cleanupOf(lost, at(MINUTE));
  expect(items.length).toBeGreaterThan(0);
  for (const { what, until } of items) expect(until, what).not.toBeNull();
});

it('is a failure in the log when it fails, and none when a person frees its target, whose request is named then', () => {
  const spent = began({ ...lost, resumesLeft: 0 }, 't2', 20 * MINUTE);
  const failed = after(spent, { kind: 'reap' }, 22 * MINUTE);
  expect(cleanupOf(failed, at(22 * MINUTE)).map(({ what }) => what)).toContain('tablesPartly');
  const [errors, infos] = [vi.spyOn(log, 'error').mockReturnValue(), vi.spyOn(log, 'info').mockReturnValue()];
  restoreChanged(spent, failed);
  expect(errors).toHaveBeenCalledWith(
    expect.objectContaining({ requestId: 'of the start', reason: 'LOST' }),
    'restore is Failed, its target Partial',
  );
  errors.mockClear();
  const asking = { requestId: 'of the release', callId: 'c', by: 'bob' };
  const released = after(failed, { kind: 'releaseTarget', ...asking, how: 'cleaned', note: '' }, 60 * MINUTE);
  restoreChanged(failed, released);
  expect(errors).not.toHaveBeenCalled();
  expect(infos).toHaveBeenCalledWith(
    expect.objectContaining({ requestId: 'of the release' }),
    'restore is Failed, its target Released',
  );
});
