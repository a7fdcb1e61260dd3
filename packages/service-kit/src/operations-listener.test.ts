import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { createLogger } from './logging.ts';
import { counter } from './metrics.ts';
import { startOperationsListener } from './operations-listener.ts';

const listen = (ready: Parameters<typeof startOperationsListener>[0]['ready'], log = createLogger('test')) =>
  startOperationsListener({ host: '127.0.0.1', port: 0, log, ready });

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

it('tells the log once what is missing and why, and once that it is there again', async () => {
  const log = createLogger('test');
  const lines = (['info', 'warn'] as const).map((level) => vi.spyOn(log, level).mockImplementation(() => undefined));
  const error = new Error('cannot be reached', { cause: new Error('the certificate has expired') });
  let broken = true;
  const ready = {
    fine() {},
    service() {
      if (broken) throw error;
    },
  };
  await using listener = await listen(ready, log);
  for (const isBroken of [true, true, false, false, true, true]) {
    broken = isBroken;
    await (await fetch(`http://127.0.0.1:${listener.port}/readyz`)).text();
  }
  expect(lines.map(({ mock }) => mock.calls)).toEqual([
    [
      [{ error, check: 'service' }, 'service is missing: not ready yet'],
      [{ check: 'service' }, 'service is there'],
    ],
    [[{ error, check: 'service' }, 'service is missing: not ready any more']],
  ]);
});

it('is ready without what most of its work goes on without, and says that it is missing', async () => {
  const log = createLogger('test');
  const told = vi.spyOn(log, 'info').mockImplementation(() => undefined);
  const error = new Error('cannot be reached');
  const useful = {
    async scheduler() {
      throw error;
    },
  };
  await using listener = await startOperationsListener({
    host: '127.0.0.1',
    port: 0,
    log,
    ready: { fine() {} },
    useful,
  });
  const answer = await fetch(`http://127.0.0.1:${listener.port}/readyz`);
  expect([answer.status, await answer.json()]).toEqual([
    200,
    { ready: true, checks: { fine: 'ok', scheduler: 'cannot be reached' } },
  ]);
  expect(told.mock.calls).toEqual([[{ error, check: 'scheduler' }, 'scheduler is missing: what needs it is refused']]);
  const metrics = await (await fetch(`http://127.0.0.1:${listener.port}/metrics`)).text();
  expect(metrics).toContain('tidemark_dependency_up{dependency="scheduler"} 0');
});

it('tells which versions of Tidemark and Node.js run', async () => {
  await using listener = await listen({});
  const metrics = await (await fetch(`http://127.0.0.1:${listener.port}/metrics`)).text();
  const root = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  expect(metrics).toContain(`tidemark_build_info{version="${root.version}",node="${process.versions.node}"} 1`);
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

it('says what is worth knowing as a remark, and is ready all the same', async () => {
  let remark: string | undefined = 's1: is it mounted?';
  await using listener = await startOperationsListener({
    host: '127.0.0.1',
    port: 0,
    log: createLogger('test'),
    ready: { fine() {} },
    remarks: { storages: () => remark },
  });
  const ask = async () => {
    const answer = await fetch(`http://127.0.0.1:${listener.port}/readyz`);
    return [answer.status, await answer.json()];
  };
  expect(await ask()).toEqual([
    200,
    { ready: true, checks: { fine: 'ok' }, remarks: { storages: 's1: is it mounted?' } },
  ]);
  remark = undefined;
  expect(await ask()).toEqual([200, { ready: true, checks: { fine: 'ok' } }]);
});
