import { expect, it } from 'vitest';
import { createLogger } from './logging.ts';
import { counter } from './metrics.ts';
import { startOperationsListener } from './operations-listener.ts';

const listen = (ready: Parameters<typeof startOperationsListener>[0]['ready']) =>
  startOperationsListener({ host: '127.0.0.1', port: 0, log: createLogger('test'), ready });

it('names what is missing while it is not ready', async () => {
  await using listener = await listen({
    fine() {},
    async broken() {
      throw new Error('the broker cannot be reached');
    },
  });
  const answer = await fetch(`http://127.0.0.1:${listener.port}/readyz`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toEqual({
    ready: false,
    checks: { fine: 'ok', broken: 'the broker cannot be reached' },
  });
  expect((await fetch(`http://127.0.0.1:${listener.port}/livez`)).status).toBe(200);
});

it('is ready until it is told that the process stops', async () => {
  await using listener = await listen({ fine() {} });
  expect((await fetch(`http://127.0.0.1:${listener.port}/readyz`)).status).toBe(200);
  listener.stopping();
  expect((await fetch(`http://127.0.0.1:${listener.port}/readyz`)).status).toBe(503);
});

it('serves metrics in the text format of Prometheus', async () => {
  await using listener = await listen({});
  counter('tidemark_test_total', 'Of this test.', ['kind']).inc({ kind: 'one' });
  const text = await (await fetch(`http://127.0.0.1:${listener.port}/metrics`)).text();
  expect(text).toContain('tidemark_test_total{kind="one"} 1');
  expect(text).toContain('process_cpu_seconds_total');
});
