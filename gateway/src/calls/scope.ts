/** What a call needs to know of the request that it is made for, whichever way that came. */

import { randomUUID } from 'node:crypto';
import type { CallOptions } from '@connectrpc/connect';
import {
  CALL_ID,
  CALLER,
  encodeCaller,
  encodeSight,
  REQUEST_ID,
  SIGHT,
} from '@tidemark/service-kit/grpc/metadata-names';
import { traceHeaders } from '@tidemark/tracing/trace';
import type { Backends } from '../backends.ts';
import type { StreamSlots } from '../edge/stream-slots.ts';
import type { Caller } from '../identity/caller.ts';

/** What the audit line of a change names. */
export interface Audited {
  clusterId?: string;
  backupId?: string;
  restoreId?: string;
  storageId?: string;
  rule?: string;
  fleetStrategy?: string;
  /** Id of a token that was made or is revoked. */
  token?: string;
  /** Id of a receiver of notifications. */
  receiver?: string;
}

export interface RequestScope {
  readonly id: string;
  readonly caller: Caller;
  /** Aborts when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
  /** Of the request, lower-case. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** By when the services must have answered, all calls of the request together, on `performance.now()`'s clock. */
  answerBy: number;
  audited: Audited;
  /** When the client gives up, on the same clock, where it said so. */
  readonly givesUpAt?: number;
}

export interface CallDependencies {
  readonly backends: Backends;
  /** Aborts when the gateway begins to stop: long answers end then. */
  readonly stopping: AbortSignal;
  readonly streams: StreamSlots;
  /** Headers that prove the gateway to the services. */
  readonly serviceHeaders: Readonly<Record<string, string>>;
}

/** How long a request waits for what it can do without. */
const EXTRA_MS = 500;

/** Options for a call to a service made for this request; its deadline is what is left of the request's time. */
export function callOptions(
  { id, caller, gone, answerBy }: RequestScope,
  { serviceHeaders }: Pick<CallDependencies, 'serviceHeaders'>,
): CallOptions {
  const sight = encodeSight(caller.clusters);
  return {
    signal: gone,
    timeoutMs: Math.max(1, Math.round(answerBy - performance.now())),
    headers: {
      ...serviceHeaders,
      [REQUEST_ID]: id,
      [CALL_ID]: randomUUID(),
      [CALLER]: encodeCaller(caller.name),
      ...traceHeaders(),
      ...(sight !== undefined && { [SIGHT]: sight }),
    },
  };
}

/** Options for a call without whose answer the request can be answered as well, only with less in it. */
export function extraCallOptions(request: RequestScope, dependencies: CallDependencies): CallOptions {
  const options = callOptions(request, dependencies);
  return { ...options, timeoutMs: Math.min(EXTRA_MS, options.timeoutMs ?? EXTRA_MS) };
}
