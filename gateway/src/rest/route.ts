/** What every route has: who calls, under which request id, and how to call a backend on that one's behalf. */
import type { CallOptions } from '@connectrpc/connect';
import type { ErrorCode } from '@tidemark/errors/codes';
import { CALLER, encodeCaller, REQUEST_ID } from '@tidemark/service-kit/grpc/metadata-names';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../authenticate.ts';
import type { Backends } from '../backends.ts';
import type { Place } from '../crowd.ts';
import type { StreamGate } from './stream.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any route under /api/v1 runs. */
    caller: Caller;
    /** Aborts when nobody waits for the answer any more; Fastify's own signal aborts once the body is read. */
    gone: AbortSignal;
    /** Among those that are answered soon; one that becomes a stream gives it back. */
    place: Place;
    /** The caller as the same token proves it now. @throws AppError as at first */
    authenticateAgain: () => Promise<Caller>;
    /** By when the services must have answered, all calls of the request together, on `performance.now()`'s clock. */
    answerBy: number;
    /** What the audit line of a mutation names. */
    audited: { clusterId?: string; backupId?: string; storageId?: string; rule?: string; fleetStrategy?: string };
    /** The code of the error that was answered. */
    failedWith?: ErrorCode;
  }
  interface FastifyContextConfig {
    /** The documented number of this operation's failure, where something inside fails. */
    failureNumber?: number;
    /** The call of a mutation, for the audit line. */
    audit?: string;
    /** How long the services may take, where it is longer than for other routes; in milliseconds. */
    answerMs?: number;
  }
}

export interface RouteDependencies {
  readonly backends: Backends;
  /** Aborts when the gateway begins to stop: long answers end then. */
  readonly stopping: AbortSignal;
  readonly streams: StreamGate;
  /** Headers that prove the gateway to the services. */
  readonly serviceHeaders: Readonly<Record<string, string>>;
}

/** How long a request waits for what it can do without. */
const EXTRA_MS = 500;

/** Options for a call without whose answer the request can be answered as well, only with less in it. */
export function extraCallOptions(request: RequestScope, dependencies: RouteDependencies): CallOptions {
  const options = callOptions(request, dependencies);
  return { ...options, timeoutMs: Math.min(EXTRA_MS, options.timeoutMs ?? EXTRA_MS) };
}

/** What calls to the services need of the request that they are made for, whichever way it came. */
export type RequestScope = Pick<FastifyRequest, 'id' | 'caller' | 'gone' | 'answerBy' | 'audited'>;

/** Options for a backend call made for this request; its deadline is what is left of the request's time. */
export function callOptions(request: RequestScope, { serviceHeaders }: RouteDependencies): CallOptions {
  return {
    signal: request.gone,
    timeoutMs: Math.max(1, Math.round(request.answerBy - performance.now())),
    headers: { ...serviceHeaders, [REQUEST_ID]: request.id, [CALLER]: encodeCaller(request.caller.name) },
  };
}
