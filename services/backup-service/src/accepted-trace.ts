import { traceHeaders } from '@tidemark/tracing/trace';

/** The trace that a request is a part of, for its record: whoever works on that, whenever it is, goes on with it. */
export function acceptedTrace(): { readonly trace?: string } {
  const { traceparent } = traceHeaders();
  return traceparent === undefined ? {} : { trace: traceparent };
}
