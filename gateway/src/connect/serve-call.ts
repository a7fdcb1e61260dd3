/** Serves the calls of people over Connect: each is performed as any other protocol has it performed. */
import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { CALLS, type CallName, callOfMethod } from '@tidemark/contract/calls';
import { AppError } from '@tidemark/errors/app-error';
import { CALL_TIMEOUT_MS } from '../backends.ts';
import { endOfStream, subjectOfStream } from '../calls/end-of-stream.ts';
import { openStream } from '../calls/open-stream.ts';
import { type Asked, auditName, perform, prepareCall } from '../calls/perform.ts';
import { type CallDependencies, callOptions, type RequestScope } from '../calls/scope.ts';
import type { RequestOf } from '../calls/steps.ts';
import { log } from '../logger.ts';
import { toError } from '../to-error.ts';
import { requestViolations } from './check-request.ts';
import { toConnectError } from './connect-error.ts';
import { type RpcRequest, requestOf } from './rpc-request.ts';

/** The methods of a service; those that are not for people are unimplemented. */
export function serveCalls(service: DescService, dependencies: CallDependencies): Partial<ServiceImpl<DescService>> {
  const methods = service.methods.map((method) => {
    const name = callOfMethod(`${service.typeName}/${method.name}`);
    if (!name) return [method.localName, refuse(method)];
    const serve = method.methodKind === 'unary' ? unary : serverStream;
    return [method.localName, serve(name, dependencies)];
  });
  return Object.fromEntries(methods) as Partial<ServiceImpl<DescService>>;
}

function refuse(method: DescMethod) {
  const work = async (): Promise<never> => {
    const why = "is for Tidemark's own processes, and not served here";
    throw new AppError('method_not_allowed', `${method.parent.typeName}/${method.name} ${why}.`);
  };
  if (method.methodKind === 'unary')
    return (_: Message, context: HandlerContext) => answering(requestOf(context.values), context, work);
  // biome-ignore lint/correctness/useYield: it ends before it begins
  return async function* (_: Message, context: HandlerContext): AsyncGenerator<Message> {
    await answering(requestOf(context.values), context, work);
  };
}

function unary(name: CallName, dependencies: CallDependencies) {
  const { answerMs } = CALLS[name];
  return (request: Message, context: HandlerContext): Promise<Message> => {
    const rpc = requestOf(context.values);
    // A call that may wait for long ends with the gateway; any other one is soon over.
    const stopping = answerMs === undefined ? undefined : dependencies.stopping;
    const work = (): Promise<Message> => {
      const scope = scopeOf(rpc, context, context.signal, answerMs);
      return perform(name, askedOf(name, request, rpc), scope, dependencies);
    };
    return answering(rpc, context, work, stopping);
  };
}

function serverStream(name: CallName, dependencies: CallDependencies) {
  return async function* (request: Message, context: HandlerContext): AsyncGenerator<Message> {
    const rpc = requestOf(context.values);
    // The end of the loop below does not end the call behind it; this does, however the loop ends (stack-findings, trap 9).
    const over = new AbortController();
    let leave: (() => void) | undefined;
    let ended = dependencies.stopping;
    try {
      const messages = await answering(rpc, context, async () => {
        const scope = scopeOf(rpc, context, AbortSignal.any([context.signal, ended]));
        const prepared = await prepareCall(name, askedOf(name, request, rpc), scope, dependencies);
        leave = dependencies.streams.enter(scope.caller.tokenId);
        rpc.place?.leave();
        const { authenticateAgain } = rpc;
        if (authenticateAgain) {
          const until = AbortSignal.any([context.signal, over.signal]);
          const { limits } = dependencies.streams;
          const about = subjectOfStream(name, prepared.acting);
          ended = AbortSignal.any([ended, endOfStream({ about, authenticateAgain, limits, until })]);
        }
        const gone = AbortSignal.any([context.signal, ended, over.signal]);
        const { headers } = callOptions(scope, dependencies);
        const timeoutMs = context.timeoutMs();
        const options = {
          signal: gone,
          ...(headers && { headers }),
          ...(timeoutMs !== undefined && { timeoutMs }),
        };
        return openStream(name, prepared, dependencies, options);
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

function scopeOf(
  rpc: RpcRequest,
  context: HandlerContext,
  gone: AbortSignal,
  answerMs = CALL_TIMEOUT_MS,
): RequestScope {
  const { id, caller } = rpc;
  if (!caller) throw new Error('a call came by without its caller');
  const now = performance.now();
  const timeoutMs = context.timeoutMs();
  return {
    id,
    caller,
    gone,
    headers: Object.fromEntries(context.requestHeader),
    answerBy: now + Math.min(timeoutMs ?? Infinity, answerMs),
    ...(timeoutMs !== undefined && { givesUpAt: now + timeoutMs }),
    // What is found out later is audited too.
    get audited() {
      return rpc.audited;
    },
    set audited(audited) {
      rpc.audited = audited;
    },
  };
}

function askedOf<Name extends CallName>(name: Name, message: Message, rpc: RpcRequest): Asked<Name> {
  const request = message as RequestOf<Name>;
  rpc.audit = auditName(name, request);
  return { read: () => ({ request, violations: requestViolations(name, request) }) };
}

/**
 * Does the work, and turns whatever it throws into the error that the client receives; notes how it ended.
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
