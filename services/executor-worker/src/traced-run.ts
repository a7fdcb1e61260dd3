import type { TraceHeaders } from '@tidemark/tracing/trace';

/** The work on a claimed task; it must not throw. What it is given is what the parts of its trace come with. */
export type TracedRun = (trace: TraceHeaders) => Promise<void>;
