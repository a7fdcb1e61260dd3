import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTracing } from './start-tracing.ts';
import { type Collector, type SentSpan, startCollector } from './testing/collector.ts';
import { headersFrom, recorded, traced, traceHeaders, traceId } from './trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const FROM = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };

describe('without a collector', () => {
  it('nothing is traced, and what is to be done is done', async () => {
    await using tracing = await startTracing('test', {});
    expect(tracing.isOn).toBe(false);
    const told = await traced('work', { from: FROM }, async () => [traceHeaders(), traceId()]);
    expect(told).toEqual([{}, undefined]);
    await expect(recorded('work', {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('nothing of OpenTelemetry is loaded', async () => {
    const load = `import { registerHooks } from 'node:module';
      registerHooks({ load: (url, context, next) => (url.startsWith('file:') && console.log(url), next(url, context)) });
      const { startTracing } = await import('@tidemark/tracing/start-tracing');
      const { traced } = await import('@tidemark/tracing/trace');
      await using _ = await startTracing('test', { OTEL_EXPORTER_OTLP_ENDPOINT: process.argv[1] });
      await traced('work', {}, async () => undefined);`;
    const loaded = async (...args: string[]) => {
      const run = ['--input-type=module', '--eval', load, ...args];
      const { stdout } = await promisify(execFile)(process.execPath, run, { cwd: import.meta.dirname });
      return stdout.split('\n').filter((url) => url.includes('opentelemetry')).length;
    };
    expect(await loaded()).toBe(0);
    expect(await loaded('http://127.0.0.1:9')).toBeGreaterThan(10);
  });

  it('what is no trace is as if it were not there', () => {
    const headers = { traceparent: 7, tracestate: 'x'.repeat(600) };
    expect(headersFrom((name) => headers[name as keyof typeof headers])).toEqual({});
  });
});

describe('with a collector', () => {
  let collector: Collector;
  let sent: (name: string) => Promise<SentSpan>;
  beforeAll(async () => {
    collector = await startCollector();
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = collector.url;
    process.env.OTEL_BSP_SCHEDULE_DELAY = '50';
    const tracing = await startTracing('test', process.env);
    sent = (name) =>
      vi.waitFor(() => {
        const span = collector.spans.find((one) => one.name === name);
        if (!span) throw new Error(`${name} was not sent`);
        return span;
      });
    return () => tracing[Symbol.asyncDispose]();
  });
  afterAll(() => collector?.[Symbol.asyncDispose]());

  it('work is a part of the trace that it came with, and so is all that it calls', async () => {
    await traced('outer', { kind: 'SERVER', from: FROM, attributes: { size: 3 } }, async () => {
      expect(traceId()).toBe(TRACE);
      await traced('inner', {}, async () => undefined);
    });
    const [outer, inner] = [await sent('outer'), await sent('inner')];
    expect([outer.service, outer.traceId, outer.parentSpanId]).toEqual(['test', TRACE, '00f067aa0ba902b7']);
    expect([inner.traceId, inner.parentSpanId]).toEqual([TRACE, outer.spanId]);
  });

  it('what lasts long is recorded, and what it calls by itself is no part of it', async () => {
    await recorded('long', { from: FROM }, async (own) => {
      expect(traceHeaders()).toEqual({});
      await traced('of it', { from: own }, async () => undefined);
    });
    expect((await sent('of it')).parentSpanId).toBe((await sent('long')).spanId);
  });

  it('work that came without a trace begins none', async () => {
    expect(await traced('untold', { from: {} }, async () => traceHeaders())).toEqual({});
    await traced('told', {}, async () => undefined);
    await sent('told');
    expect(collector.spans.map(({ name }) => name)).not.toContain('untold');
  });

  it('an error is noted by its code, and never by its sentence', async () => {
    const error = Object.assign(new Error('the password is secret'), { code: 'not_found' });
    await expect(traced('failing', {}, () => Promise.reject(error))).rejects.toBe(error);
    const { status } = await sent('failing');
    expect(status).toMatchObject({ code: 2, message: 'not_found' });
    expect(JSON.stringify(collector.spans)).not.toContain('password');
  });
});
