/**
 * A load that comes as it comes: requests begin at a steady rate, whether or not those before have been answered.
 *
 * 1. What is late is made up for at once, so that the rate holds on the whole.
 * 2. Beyond `most` at once nothing more is sent; such a request counts as refused. No client has endless connections.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from './statistics.ts';

const TICK_MS = 5;
/** As a patient client: what takes longer than this is no success for anybody. */
const PATIENCE_MS = 5_000;

export interface OpenLoad {
  readonly perSecond: number;
  readonly seconds: number;
  /** Requests under way at once. */
  readonly most: number;
  readonly signal: AbortSignal;
}

/** What became of a load. */
export interface Loaded {
  readonly sent: number;
  /** Successes for each second of the load. */
  readonly goodput: number;
  /** Of all requests, those that succeeded: 0 to 1. */
  readonly share: number;
  /** Of the successes, in milliseconds; 0 where there were none. */
  readonly p99Ms: number;
}

/**
 * Makes requests at a rate for some time, and waits until all are answered.
 *
 * @param act makes one; answers whether it succeeded
 */
export async function openLoad(
  { perSecond, seconds, most, signal }: OpenLoad,
  act: () => Promise<boolean>,
): Promise<Loaded> {
  const times: number[] = [];
  const open = new Set<Promise<void>>();
  let sent = 0;
  const send = () => {
    sent += 1;
    if (open.size >= most) return;
    const startedAt = performance.now();
    const one: Promise<void> = act()
      .then((succeeded) => {
        const ms = performance.now() - startedAt;
        if (succeeded && ms <= PATIENCE_MS) times.push(ms);
      })
      .finally(() => open.delete(one));
    open.add(one);
  };
  const startedAt = performance.now();
  for (let passed = 0; passed < seconds * 1_000; passed = performance.now() - startedAt) {
    signal.throwIfAborted();
    for (const due = Math.floor((passed * perSecond) / 1_000); sent < due; ) send();
    await sleep(TICK_MS);
  }
  await Promise.all(open);
  return {
    sent,
    goodput: times.length / seconds,
    share: times.length / Math.max(1, sent),
    p99Ms: times.length > 0 ? quantile(times, 0.99) : 0,
  };
}
