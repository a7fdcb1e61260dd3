/** What every route has: who calls, under which request id, and how to call a backend on that one's behalf. */
import type { CallOptions } from '@connectrpc/connect';
import { CALLER, REQUEST_ID } from '@tidemark/service-kit/grpc/metadata-names';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../authenticate.ts';
import type { Backends } from '../backends.ts';
import { CALL_TIMEOUT_MS } from '../backends.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any route under /api/v1 runs. */
    caller: Caller;
    /** Aborts when the client went away before it had its answer; Fastify's own signal aborts once the body is read. */
    gone: AbortSignal;
    /** What the audit line of a mutation names. */
    audited: { clusterId?: string; backupId?: string };
  }
  interface FastifyContextConfig {
    /** The documented number of this operation's failure, where something inside fails. */
    failureNumber?: number;
    /** The call of a mutation, for the audit line. */
    audit?: string;
  }
}

export interface RouteDependencies {
  readonly backends: Backends;
  /** Headers that prove the gateway to the services. */
  readonly serviceHeaders: Readonly<Record<string, string>>;
}

/** Options for a backend call made for this request. */
export function callOptions(request: FastifyRequest, { serviceHeaders }: RouteDependencies): CallOptions {
  return {
    signal: request.gone,
    timeoutMs: CALL_TIMEOUT_MS,
    headers: { ...serviceHeaders, [REQUEST_ID]: request.id, [CALLER]: request.caller.name },
  };
}
