/** A `br` that waits for a TiKV, in its own words (br-contract, "Seen later with a real `br`"). */
import type { Stall } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { expect, it, vi } from 'vitest';
import { createOutputReader } from './output.ts';
import { mayTellOfStall, watchForStalls } from './stall.ts';

const HEAD = '[2026/01/01 00:00:00.000 +00:00]';
const ROUND = `${HEAD} [INFO] [client.go:184] ["This round of backup starts..."] [round=7]`;
const NEWER_ROUND = `${HEAD} [INFO] [client.go:184] ["backup round start..."] [round=7]`;
const NOT_ALIVE = `${HEAD} [WARN] [client.go:212] ["store not alive, skip backup it in this round"] [round=7] [error="the store last heartbeat is too far, at 1m2s: [BR:KV:ErrKVStorage]tikv storage occur I/O error"]`;
const NO_REPLICA = `${HEAD} [INFO] [region_request.go:970] ["throwing pseudo region error due to no replica available"] [region="{ region id: 84 }"] [replica-status="peer: 85, store: 1, attempts: 0, store-liveness-state: reachable; peer: 86, store: 4, attempts: 1, store-liveness-state: unreachable"]`;

const watch = (silenceMs?: number) => {
  const told: (Stall | undefined)[] = [];
  const stalls = watchForStalls((stall) => told.push(stall?.()), silenceMs);
  const reader = createOutputReader(() => undefined, { saw: stalls.saw, isOne: mayTellOfStall });
  return { told, stalls, print: (...lines: string[]) => reader.stdout(Buffer.from(`${lines.join('\n')}\n`)) };
};

it('says within the first round that a TiKV is away, and which, once br names it', () => {
  const { told, print } = watch();
  print(ROUND, NOT_ALIVE);
  expect(told).toMatchObject([{ code: 'STORE_AWAY', store: '', message: expect.stringMatching(/does not say which/) }]);
  print(NO_REPLICA, ROUND, NOT_ALIVE, NO_REPLICA);
  expect(told.slice(1)).toMatchObject([{ store: '4', message: expect.stringContaining('TiKV store 4') }]);
});

it.each([ROUND, NEWER_ROUND])('stops saying so after a whole round without a word of it', (round) => {
  const { told, print } = watch();
  print(round, NOT_ALIVE, round, NOT_ALIVE, round);
  expect(told).toHaveLength(1);
  print(round);
  expect(told[1]).toBeUndefined();
  expect(told).toHaveLength(2);
});

it('stops saying so when there is progress, and when nothing is said of it for long', async () => {
  const { told, stalls, print } = watch(100);
  print(ROUND, NOT_ALIVE);
  stalls.goesOn();
  expect(told).toHaveLength(2);
  print(ROUND, NOT_ALIVE);
  await vi.waitFor(() => expect(told).toHaveLength(4));
  expect(told[3]).toBeUndefined();
});
