/**
 * Starts to record traces and to send them to a collector by OTLP, where the environment names one. What is loaded for that takes some
 * megabytes, so it is loaded only then.
 */
import { recordWith } from './trace.ts';

const ENDPOINTS = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
/** Spans of a process that ends are sent for so long. */
const FLUSH_MS = 3_000;

export interface Tracing extends AsyncDisposable {
  /** Whether traces are recorded. */
  readonly isOn: boolean;
}

/**
 * Begins, by the variables of OpenTelemetry: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 *
 * @param service as `service.name`, unless `OTEL_SERVICE_NAME` says otherwise
 */
export async function startTracing(
  service: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Tracing> {
  const isOn = env.OTEL_SDK_DISABLED !== 'true' && ENDPOINTS.some((name) => env[name]);
  if (!isOn) return { isOn, [Symbol.asyncDispose]: async () => undefined };
  const [{ recorder }, { BatchSpanProcessor, NodeTracerProvider }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import('./recorder.ts'),
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({
      'service.name': env.OTEL_SERVICE_NAME || service,
      'service.namespace': 'tidemark',
    }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register();
  recordWith(recorder);
  return {
    isOn,
    async [Symbol.asyncDispose]() {
      recordWith(undefined);
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, FLUSH_MS);
      // A collector that does not answer keeps no process from ending.
      await Promise.race([provider.shutdown().catch(() => undefined), promise]);
      clearTimeout(timer);
    },
  };
}
