/**
 * Parts of traces. Nothing is recorded, nothing loaded for it, and next to nothing spent, unless `startTracing` has an endpoint to send to.
 *
 * TR1. What a trace is carried in (headers of HTTP, gRPC and RabbitMQ, a field of a record) is that of the W3C Trace Context. What
 *      comes from outside and is none is as if it were not there.
 * TR2. What goes on by itself, such as the renewals of a lease, begins no trace and is no part of one.
 */
import type { Attributes, SpanKind } from '@opentelemetry/api';
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

/** What records parts of traces. */
export interface Recorder {
  traced<T>(name: string, options: PartOptions, work: () => Promise<T>): Promise<T>;
  recorded<T>(name: string, options: PartOptions, work: (own: TraceHeaders) => Promise<T>): Promise<T>;
  /** Of the part that is under way, where there is one. */
  headers(): TraceHeaders;
  traceId(): string | undefined;
}

const NAMES = ['traceparent', 'tracestate'] as const;
let recorder: Recorder | undefined;

/** Has parts recorded from now on; without one, no longer. */
export function recordWith(one: Recorder | undefined): void {
  recorder = one;
}

const isUntold = ({ from }: PartOptions) => from !== undefined && from.traceparent === undefined;

/** Does some work as a part of a trace, and all that it calls with it; what it throws is noted there, and thrown. */
export async function traced<T>(name: string, options: PartOptions, work: () => Promise<T>): Promise<T> {
  if (!recorder || isUntold(options)) return await work();
  return await recorder.traced(name, options, work);
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
  if (!recorder || isUntold(options)) return await work({});
  return await recorder.recorded(name, options, work);
}

/** The part that is under way, to be carried elsewhere; empty where nothing is traced. */
export const traceHeaders = (): TraceHeaders => recorder?.headers() ?? {};

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
export const traceId = (): string | undefined => recorder?.traceId();
