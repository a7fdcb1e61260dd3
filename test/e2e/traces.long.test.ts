/** One trace from the request of a person, through gRPC and RabbitMQ, to the `br` that it started. */
import { SERVICE_KINDS } from '@tidemark/local-stack/service-kinds';
import { type Collector, startCollector } from '@tidemark/tracing/testing/collector';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

let collector: Collector;
let tidemark: Tidemark;
beforeAll(async () => {
  collector = await startCollector();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' };
  tidemark = await startTidemark({ env: Object.fromEntries(Object.keys(SERVICE_KINDS).map((kind) => [kind, env])) });
}, 120_000);
afterAll(async () => {
  await tidemark?.[Symbol.asyncDispose]();
  await collector?.[Symbol.asyncDispose]();
});

it('a backup that is started with a traceparent is one trace, each part below the one that asked for it', async () => {
  const clusterId = await tidemark.cluster('traced');
  const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
  const { data } = await tidemark.call<{ backupId: string }>('POST', '/backups', { clusterId }, headers);
  await tidemark.untilState(data.backupId, 'Succeeded');
  const names = ['gateway startBackup', 'tidemark.backup.v1.BackupService/StartBackup', 'worker task', 'br backup'];
  await vi.waitFor(
    () => {
      const parts = collector.spans.filter(({ traceId }) => traceId === TRACE);
      const byName = new Map(parts.map((part) => [part.name, part]));
      expect([...byName.keys()]).toEqual(expect.arrayContaining([...names, 'worker claim']));
      const chain = names.map((name) => byName.get(name));
      expect(chain[0]?.parentSpanId).toBe('00f067aa0ba902b7');
      for (const [index, part] of chain.slice(1).entries()) expect(part?.parentSpanId).toBe(chain[index]?.spanId);
      expect(new Set(parts.map(({ service }) => service))).toEqual(
        new Set(['gateway', 'backup-service', 'executor-worker']),
      );
      // The renewals of its lease are no parts of it.
      expect(parts.length).toBeLessThan(20);
    },
    { timeout: 15_000 },
  );
  const lines = tidemark.logs(tidemark.stack.process('backup-service').name);
  expect(lines).toContainEqual(expect.objectContaining({ trace_id: TRACE }));
  expect(JSON.stringify(collector.spans)).not.toContain(tidemark.stack.token);
}, 90_000);
