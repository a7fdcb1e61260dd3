import { expect, it } from 'vitest';
import { drained } from './drain.ts';

const LONG_MS = 60_000;

function runsOf(count: number) {
  const runs = new Set<Promise<void>>();
  const ends = Array.from({ length: count }, () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const run: Promise<void> = promise.finally(() => runs.delete(run));
    runs.add(run);
    return resolve;
  });
  return { runs, ends };
}

const wellConnected = { ask: () => undefined, heardAt: () => performance.now(), lostMs: LONG_MS };
const never = new AbortController().signal;

it('lasts until the last of what a worker has is done', async () => {
  const { runs, ends } = runsOf(2);
  const drain = drained({ runs, forMs: LONG_MS, hurry: never, ...wellConnected });
  ends[0]?.();
  await expect(Promise.race([drain, new Promise((resolve) => setTimeout(resolve, 50, 'goes on'))])).resolves.toBe(
    'goes on',
  );
  ends[1]?.();
  await expect(drain).resolves.toBe('nothing runs any more');
});

it('is over at once where nothing runs', async () => {
  await expect(drained({ runs: new Set(), forMs: 0, hurry: never, ...wellConnected })).resolves.toBe(
    'nothing runs any more',
  );
});

it('ends when its time is over', async () => {
  const { runs } = runsOf(1);
  await expect(drained({ runs, forMs: 20, hurry: never, ...wellConnected })).resolves.toBe('its time is over');
});

it('ends when somebody is in a hurry, also if that was before it began', async () => {
  const { runs } = runsOf(1);
  const hurry = new AbortController();
  const drain = drained({ runs, forMs: LONG_MS, hurry: hurry.signal, ...wellConnected });
  hurry.abort();
  await expect(drain).resolves.toBe('it was told to hurry');
  await expect(drained({ runs, forMs: LONG_MS, hurry: hurry.signal, ...wellConnected })).resolves.toBe(
    'it was told to hurry',
  );
});

it('ends when backup-service is lost, and not as long as it answers', async () => {
  const { runs } = runsOf(1);
  let heardAt = performance.now();
  let answers = 5;
  const ask = () => {
    if (answers-- > 0) heardAt = performance.now();
  };
  const startedAt = performance.now();
  await expect(drained({ runs, forMs: LONG_MS, hurry: never, ask, heardAt: () => heardAt, lostMs: 200 })).resolves.toBe(
    'backup-service is lost',
  );
  expect(answers).toBeLessThan(0);
  expect(performance.now() - startedAt).toBeGreaterThan(200);
});
