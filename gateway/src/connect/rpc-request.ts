/** A request over Connect, gRPC-web or gRPC, from its arrival until its end is reported. */

import { type ContextValues, createContextKey, createContextValues } from '@connectrpc/connect';
import type { AppError } from '@tidemark/errors/app-error';
import { ERRORS, type ErrorCode } from '@tidemark/errors/codes';
import { histogram } from '@tidemark/service-kit/metrics';
import type { AuditTrail } from '../audit.ts';
import type { Audited } from '../calls/scope.ts';
import type { Place } from '../edge/in-flight.ts';
import type { Caller } from '../identity/caller.ts';
import { accessLog } from '../logger.ts';

export interface RpcRequest {
  readonly id: string;
  /** Address of the client. */
  readonly from: string;
  /** Full name, such as `tidemark.backup.v1.BackupService/StartBackup`. */
  readonly method: string;
  readonly startedAt: number;
  /** "connect", "grpc-web" or "grpc"; empty until that is known. */
  protocol: string;
  caller: Caller | undefined;
  /** The caller as the same token proves it now. @throws AppError as at first */
  authenticateAgain: (() => Promise<Caller>) | undefined;
  /** Counts the call among those that are answered soon. @throws AppError `unavailable` while there is no room */
  readonly enter: () => Place;
  /** Among those that are answered soon; a call that becomes a stream gives it back. */
  place: Place | undefined;
  /** The name of a mutation, for its audit line. */
  audit: string | undefined;
  audited: Audited;
  /** How it ended; undefined while nobody said. */
  outcome: 'ok' | AppError | undefined;
}

const KEY = createContextKey<RpcRequest | undefined>(undefined, { description: 'the request' });

export function contextOf(request: RpcRequest): ContextValues {
  return createContextValues().set(KEY, request);
}

/** The request of a call. @throws Error outside of `createRpcHandler` */
export function requestOf(values: ContextValues): RpcRequest {
  const request = values.get(KEY);
  if (!request) throw new Error('a call came by a way that gave it no request');
  return request;
}

const duration = histogram('tidemark_rpc_seconds', 'How long calls over Connect, gRPC-web and gRPC took.', [
  'method',
  'protocol',
  'code',
]);

/**
 * Reports how a request ended: one line, and for a mutation an audit line like REST's, with the HTTP status of the outcome.
 *
 * @param httpStatus what was answered where nobody said more: Connect itself refuses what it cannot read
 * @param complete whether the client got the whole answer
 */
export function report(request: RpcRequest, trail: AuditTrail, httpStatus: number, complete: boolean): void {
  const { id: requestId, from, method, startedAt, protocol, audit, audited } = request;
  const ms = performance.now() - startedAt;
  const code = codeOf(request, httpStatus, complete);
  const status = code === 'ok' ? 200 : ERRORS[code].http;
  const caller: string | undefined = request.caller?.name;
  duration.observe({ method, protocol, code }, ms / 1000);
  const line = { requestId, method, protocol, code, status, ms: Math.round(ms), caller, from };
  accessLog.info(line, 'call answered');
  if (audit === undefined) return;
  const who = request.caller && { caller, callerId: request.caller.tokenId };
  trail.write({ what: audit, ...audited, ...who, from, status, ...(code !== 'ok' && { code }), requestId });
}

function codeOf({ outcome }: RpcRequest, httpStatus: number, complete: boolean): ErrorCode | 'ok' {
  if (outcome === 'ok') return 'ok';
  if (outcome) return outcome.code;
  if (!complete) return 'canceled';
  return httpStatus === 405 ? 'method_not_allowed' : 'invalid_argument';
}
