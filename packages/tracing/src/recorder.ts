/** Parts of traces by the API of OpenTelemetry, which takes megabytes and so is loaded only where traces are on. */
import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { headersFrom, type PartOptions, type Recorder, type TraceHeaders } from './trace.ts';

const tracer = trace.getTracer('tidemark');

/** Records with the provider that is registered when it is called. */
export const recorder: Recorder = {
  async traced(name, options, work) {
    const { parent, span } = begin(name, options);
    return await ended(span, () => context.with(trace.setSpan(parent, span), work));
  },
  async recorded(name, options, work) {
    const { parent, span } = begin(name, options);
    const own = headersOf(trace.setSpan(parent, span));
    return await ended(span, () => context.with(ROOT_CONTEXT, () => work(own)));
  },
  headers: () => headersOf(context.active()),
  traceId: () => trace.getActiveSpan()?.spanContext().traceId,
};

function begin(name: string, { kind = 'INTERNAL', from, attributes = {} }: PartOptions) {
  const parent = from ? propagation.extract(ROOT_CONTEXT, from) : context.active();
  return { parent, span: tracer.startSpan(name, { kind: SpanKind[kind], attributes }, parent) };
}

async function ended<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // By its code alone: the sentence of an error may hold what people sent.
    const { code, name: type } = error as { readonly code?: unknown; readonly name?: string };
    span.setStatus({ code: SpanStatusCode.ERROR, message: String(code ?? type ?? 'Error') });
    throw error;
  } finally {
    span.end();
  }
}

function headersOf(of: Context): TraceHeaders {
  const carrier: Record<string, string> = {};
  propagation.inject(of, carrier);
  return headersFrom((name) => carrier[name]);
}
