import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import manifest from '../package.json' with { type: 'json' };

const registry = new Registry();
let collecting = false;

/** A counter of this process; the same name twice is the same counter. Labels must be few-valued: never an id. */
export function counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
  return (
    (registry.getSingleMetric(name) as Counter<L> | undefined) ??
    new Counter({ name, help, labelNames: [...labelNames], registers: [registry] })
  );
}

/** A gauge of this process; `collect` is asked at each scrape. */
export function gauge<L extends string>(
  name: string,
  help: string,
  labelNames: readonly L[] = [],
  collect?: (gauge: Gauge<L>) => void | Promise<void>,
): Gauge<L> {
  return (
    (registry.getSingleMetric(name) as Gauge<L> | undefined) ??
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      ...(collect && {
        collect(this: Gauge<L>) {
          return collect(this);
        },
      }),
    })
  );
}

/** A histogram of this process, of seconds unless `buckets` say otherwise. */
export function histogram<L extends string>(
  name: string,
  help: string,
  labelNames: readonly L[] = [],
  buckets: readonly number[] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
): Histogram<L> {
  return (
    (registry.getSingleMetric(name) as Histogram<L> | undefined) ??
    new Histogram({ name, help, labelNames: [...labelNames], buckets: [...buckets], registers: [registry] })
  );
}

gauge('tidemark_build_info', 'The versions of Tidemark and of Node.js that this process runs; always 1.', [
  'version',
  'node',
]).set({ version: manifest.version, node: process.versions.node }, 1);

/** All metrics in Prometheus' text format, with those of the process itself. */
export async function renderMetrics(): Promise<{ contentType: string; body: string }> {
  if (!collecting) {
    collectDefaultMetrics({ register: registry });
    collecting = true;
  }
  return { contentType: registry.contentType, body: await registry.metrics() };
}
