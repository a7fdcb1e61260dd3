/**
 * Parts of traces. Nothing is recorded, and next to nothing spent, unless `startTracing` has an endpoint to send to.
 *
 * TR1. What a trace is carried in (headers of HTTP, gRPC and RabbitMQ, a field of a record) is that of the W3C Trace Context. What
 *      comes from outside and is none is as if it were not there.
 * TR2. What goes on by itself, such as the renewals of a lease, begins no trace and is no part of one.
 */
import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { MAX_TRACE_HEADER } from '@tidemark/limits/limits';

/** As `traceparent` carries it: `00-<trace id>-<span id>-<flags>`. */
export interface TraceHeaders {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

export interface PartOptions {
  readonly kind?: keyof typeof SpanKind;
  /** What it came with: work that came without a trace is no part of any. Left out, it is a part of what is under way, or begins a trace. */
  readonly from?: TraceHeaders;
  /** Names and sizes, never secrets. */
  readonly attributes?: Attributes;
}

const NAMES = ['traceparent', 'tracestate'] as const;
const tracer = trace.getTracer('tidemark');

/** Does some work as a part of a trace, and all that it calls with it; what it throws is noted there, and thrown. */
export async function traced<T>(name: string, options: PartOptions, work: () => Promise<T>): Promise<T> {
  const begun = begin(name, options);
  if (!begun) return await work();
  return await ended(begun.span, () => context.with(trace.setSpan(begun.parent, begun.span), work));
}

/**
 * Records some work that lasts long. What it calls is no part of it: a lease that is renewed for nine hours would drown it.
 *
 * @param work gets what its own parts come with
 */
export async function recorded<T>(
  name: string,
  options: PartOptions,
  work: (own: TraceHeaders) => Promise<T>,
): Promise<T> {
  const begun = begin(name, options);
  if (!begun) return await work({});
  const own = headersOf(trace.setSpan(begun.parent, begun.span));
  return await ended(begun.span, () => context.with(ROOT_CONTEXT, () => work(own)));
}

/** Undefined where the work came without a trace. */
function begin(name: string, { kind = 'INTERNAL', from, attributes = {} }: PartOptions) {
  if (from && from.traceparent === undefined) return undefined;
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

/** The part that is under way, to be carried elsewhere; empty where nothing is traced. */
export const traceHeaders = (): TraceHeaders => headersOf(context.active());

function headersOf(of: Context): TraceHeaders {
  const carrier: Record<string, string> = {};
  propagation.inject(of, carrier);
  return headersFrom((name) => carrier[name]);
}

/** Those that a request or a message came with (TR1). */
export function headersFrom(get: (name: string) => unknown): TraceHeaders {
  const found = NAMES.flatMap((name) => {
    const value = get(name);
    return typeof value === 'string' && value !== '' && value.length <= MAX_TRACE_HEADER
      ? [[name, value] as const]
      : [];
  });
  return Object.fromEntries(found);
}

/** The id of the trace that is under way; undefined where nothing is traced. */
export function traceId(): string | undefined {
  return trace.getActiveSpan()?.spanContext().traceId;
}
