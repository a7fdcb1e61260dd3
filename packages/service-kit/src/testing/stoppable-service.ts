/** A service of which tests say how long its stop takes; for `run-service.test.ts` only. */
import { setTimeout as sleep } from 'node:timers/promises';
import { runService } from '../run-service.ts';

await runService(
  'stoppable',
  (env) => ({
    drainMs: Number(env.DRAIN_MS ?? 0),
    stopMs: Number(env.STOP_MS ?? 60_000),
    takesMs: Number(env.TAKES_MS ?? 0),
  }),
  async ({ drainMs, stopMs, takesMs }) => {
    const hurry = new AbortController();
    // As a listener would, it keeps the process alive.
    const alive = setInterval(() => undefined, 60_000);
    return {
      drainMs,
      stopMs,
      hurry() {
        if (drainMs === 0 || hurry.signal.aborted) return false;
        hurry.abort();
        return true;
      },
      async [Symbol.asyncDispose]() {
        await sleep(takesMs, undefined, { signal: hurry.signal }).catch(() => undefined);
        clearInterval(alive);
      },
    };
  },
);
