/** Makes an implementation for Connect from a row of the table: authorize, check, act, answer. */
import { create, type DescMessage, type DescMethod, type DescService, type Message } from '@bufbuild/protobuf';
import type { CallOptions, HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { CALL_TIMEOUT_MS } from '../backends.ts';
import { log } from '../logger.ts';
import { toError } from '../rest/error-response.ts';
import { callOptions, type RequestScope, type RouteDependencies } from '../rest/route.ts';
import { endOfStream } from '../rest/stream.ts';
import { type Authorized, authorizeCall, badIds } from './authorize-call.ts';
import { checkRequest, MOST_TOLD } from './check-request.ts';
import { toConnectError } from './connect-error.ts';
import { type RpcRequest, requestOf } from './rpc-request.ts';
import type { InternalCall, ServedCall } from './served-call.ts';

type AnyRow = ServedCall<Message, Message>;
type Call = (request: Message, options: CallOptions) => unknown;
/** A client of a service, method by method. */
export type ServiceCalls = Readonly<Record<string, Call>>;

/** The methods of a service; those that are not for people are unimplemented. */
export function serveCalls(
  service: DescService,
  calls: Readonly<Record<string, object>>,
  client: object,
  dependencies: RouteDependencies,
): Partial<ServiceImpl<DescService>> {
  const rows = calls as Readonly<Record<string, AnyRow | InternalCall>>;
  const methods = service.methods.map((method) => {
    const row = rows[method.localName];
    const serve = { method, row, send: (client as ServiceCalls)[method.localName], dependencies };
    return [method.localName, method.methodKind === 'unary' ? unary(serve) : serverStream(serve)];
  });
  return Object.fromEntries(methods) as Partial<ServiceImpl<DescService>>;
}

/** The name of a mutation, for the audit line of one that does not come far enough to be looked at. */
export function auditOf(row: object | undefined): string | undefined {
  const audit = row && 'audit' in row ? (row as AnyRow).audit : undefined;
  return typeof audit === 'function' ? audit(NOTHING) : audit;
}

const NOTHING = {} as Message;

interface Serve {
  readonly method: DescMethod;
  readonly row: AnyRow | InternalCall | undefined;
  readonly send: Call | undefined;
  readonly dependencies: RouteDependencies;
}

function unary({ method, row, send, dependencies }: Serve) {
  return (request: Message, context: HandlerContext): Promise<Message> => {
    const rpc = requestOf(context.values);
    const answerMs = row && 'call' in row ? row.answerMs : undefined;
    // A call that may wait for long ends with the gateway; any other one is soon over.
    const stopping = answerMs === undefined ? undefined : dependencies.stopping;
    const work = async () => {
      const served = servedRow(row, method);
      const gone = stopping ? AbortSignal.any([context.signal, stopping]) : context.signal;
      const scope = scopeOf(rpc, gone, Math.min(context.timeoutMs() ?? Infinity, answerMs ?? CALL_TIMEOUT_MS));
      const acting = await ready(method.input, served, request, rpc, scope, dependencies);
      if (acting.seesNothing) return create(method.output);
      if (served.act) return served.act(request, acting);
      return (await send?.(request, callOptions(scope, dependencies))) as Message;
    };
    return answering(rpc, context, work, stopping);
  };
}

function serverStream({ method, row, send, dependencies }: Serve) {
  return async function* (request: Message, context: HandlerContext): AsyncGenerator<Message> {
    const rpc = requestOf(context.values);
    // The end of the loop below does not end the call behind it; this does, however the loop ends (stack-findings, trap 9).
    const over = new AbortController();
    let leave: (() => void) | undefined;
    let ended = dependencies.stopping;
    try {
      const messages = await answering(rpc, context, async () => {
        const served = servedRow(row, method);
        const leftMs = Math.min(context.timeoutMs() ?? Infinity, CALL_TIMEOUT_MS);
        const scope = scopeOf(rpc, AbortSignal.any([context.signal, ended]), leftMs);
        const { backup } = await ready(method.input, served, request, rpc, scope, dependencies);
        leave = dependencies.streams.enter(scope.caller.tokenId);
        rpc.place?.leave();
        const { authenticateAgain } = rpc;
        if (backup && authenticateAgain) {
          const until = AbortSignal.any([context.signal, over.signal]);
          const { limits } = dependencies.streams;
          ended = AbortSignal.any([ended, endOfStream({ backup, authenticateAgain, limits, until })]);
        }
        const gone = AbortSignal.any([context.signal, ended, over.signal]);
        const { headers } = callOptions(scope, dependencies);
        const timeoutMs = context.timeoutMs();
        const options = { signal: gone, ...(headers && { headers }), ...(timeoutMs !== undefined && { timeoutMs }) };
        return send?.(request, options) as AsyncIterable<Message>;
      });
      rpc.outcome = undefined;
      const iterator = messages[Symbol.asyncIterator]();
      for (;;) {
        const next = await answering(rpc, context, () => iterator.next(), ended);
        if (next.done) return;
        rpc.outcome = undefined;
        yield next.value;
      }
    } finally {
      leave?.();
      over.abort();
    }
  };
}

function servedRow(row: AnyRow | InternalCall | undefined, { parent, name }: DescMethod): AnyRow {
  if (row && 'call' in row) return row;
  const why = "is for Tidemark's own processes, and not served here";
  throw new AppError('method_not_allowed', `${parent.typeName}/${name} ${why}.`);
}

function scopeOf(rpc: RpcRequest, gone: AbortSignal, leftMs: number): RequestScope {
  if (!rpc.caller) throw new Error('a call came by without its caller');
  return { id: rpc.id, caller: rpc.caller, gone, answerBy: performance.now() + leftMs, audited: {} };
}

/** Checks and authorizes a request, and sets what was left out of it. */
async function ready(
  schema: DescMessage,
  row: AnyRow,
  request: Message,
  rpc: RpcRequest,
  scope: RequestScope,
  dependencies: RouteDependencies,
): Promise<Authorized & { readonly scope: RequestScope; readonly dependencies: RouteDependencies }> {
  // What a row finds out later is audited too.
  Object.defineProperty(scope, 'audited', {
    get: () => rpc.audited,
    set: (audited: RpcRequest['audited']) => {
      rpc.audited = audited;
    },
  });
  rpc.audit = typeof row.audit === 'function' ? row.audit(request) : row.audit;
  rpc.audited = row.names?.(request) ?? {};
  const violations = [...checkRequest(schema, request, row.internal), ...(row.check?.(request) ?? [])];
  const ids = badIds(row.of, request);
  const others = violations.filter(({ field }) => !ids.some((one) => one.field === field));
  if (ids.length > 0) throw invalidArgument([...ids, ...others].slice(0, MOST_TOLD));
  const authorized = await authorizeCall(scope, dependencies, row, request);
  if (violations.length > 0) throw invalidArgument(violations);
  const acting = { ...authorized, scope, dependencies };
  await row.prepare?.(request, acting);
  return acting;
}

/**
 * Does the work, and turns whatever it throws into what the client is told; notes how it ended.
 *
 * @param ended by the gateway, for the reason that it has
 */
async function answering<T>(
  rpc: RpcRequest,
  context: HandlerContext,
  work: () => Promise<T>,
  ended?: AbortSignal,
): Promise<T> {
  try {
    const answer = await work();
    rpc.outcome = 'ok';
    return answer;
  } catch (thrown) {
    const error = whatHappened(thrown, context, ended);
    log[error.row.log]({ requestId: rpc.id, code: error.code, error }, 'call failed');
    rpc.outcome = error;
    throw toConnectError(error);
  }
}

function whatHappened(thrown: unknown, context: HandlerContext, ended: AbortSignal | undefined): AppError {
  if ((context.timeoutMs() ?? 1) <= 0)
    return new AppError('deadline_exceeded', 'The deadline of the call has passed.', { cause: thrown });
  if (context.signal.aborted) return new AppError('canceled', 'The client went away.', { cause: thrown });
  if (ended?.aborted) return toError(ended.reason);
  return toError(thrown);
}
