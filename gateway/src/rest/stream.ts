/** Answers that go on for a while: bounded in number and in time, and let go when nobody reads them. */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { type Send, senderOf } from '../backends.ts';
import { endOfStream } from '../calls/end-of-stream.ts';
import { prepareCall } from '../calls/perform.ts';
import { type CallDependencies, callOptions } from '../calls/scope.ts';
import type { RequestInit, ResponseOf } from '../calls/steps.ts';
import { askedOf, type CallOperation, type ReadOf, readerOf } from './route.ts';

export interface StreamRow<Op extends CallOperation> {
  readonly path: string;
  readonly operation: Op;
  /** The documented number of its failure, where something inside fails. */
  readonly failureNumber: number;
  readonly type: string;
  /** Sent for as long as nothing comes; a comment, where the type knows such. */
  readonly beat?: string;
  /** @throws AppError `invalid_argument` */
  toRequest(read: ReadOf<Op>): RequestInit<Op['call']>;
  /** @param gone aborts when nobody reads it any more */
  toText(messages: AsyncIterable<ResponseOf<Op['call']>>, gone: AbortSignal): AsyncIterable<string | Uint8Array>;
}

/** Adds a route that answers with a stream about a backup or a restore; it ends once the caller may see that no longer. */
export function streamRoute<const Op extends CallOperation>(
  app: FastifyInstance,
  dependencies: CallDependencies,
  { path, operation, failureNumber, type, beat, toRequest, toText }: StreamRow<Op>,
): void {
  const name: Op['call'] = operation.call;
  const { backends, streams, stopping } = dependencies;
  const { limits } = streams;
  app.get(path, { config: { failureNumber, operation } }, async (request, reply) => {
    const read = readerOf(operation, request);
    const asked = askedOf(operation, read, () => toRequest(read));
    const prepared = await prepareCall(name, asked, request, dependencies);
    reply.type(type).header('cache-control', 'no-store').header('x-accel-buffering', 'no');
    if (request.method === 'HEAD') return reply.send();
    request.gone.throwIfAborted();
    request.gone.addEventListener('abort', streams.enter(request.caller.tokenId), { once: true });
    request.place.leave();
    const { gone, authenticateAgain } = request;
    const end = endOfStream({ about: prepared.acting, authenticateAgain, limits, until: gone });
    const signal = AbortSignal.any([gone, stopping, end]);
    const { headers } = callOptions(request, dependencies);
    const send = senderOf(backends, name) as Send<AsyncIterable<ResponseOf<Op['call']>>>;
    const chunks = toText(send(prepared.request, { signal, ...(headers && { headers }) }), gone);
    const body = withBeats(chunks, beat, limits.heartbeatMs, () => reply.raw.flushHeaders());
    return reply.send(Readable.from(body, { objectMode: false }));
  });
}

const SILENCE = Symbol('nothing came for a while');

/** Nothing is asked for before what came was taken: a slow reader slows the service down, and fills no memory. */
async function* withBeats(
  chunks: AsyncIterable<string | Uint8Array>,
  beat: string | undefined,
  everyMs: number,
  begin: () => void,
): AsyncGenerator<string | Uint8Array> {
  // A client knows at once that it is connected, also while nothing happens.
  begin();
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    for (let next = iterator.next(); ; ) {
      const came = beat === undefined ? await next : await Promise.race([next, silence(everyMs, next)]);
      if (came === SILENCE) yield beat ?? '';
      else if (came.done) return;
      else {
        if (came.value.length > 0) yield came.value;
        next = iterator.next();
      }
    }
  } finally {
    await iterator.return?.();
  }
}

/** Comes after so long, unless `unless` comes first. */
function silence(ms: number, unless: Promise<unknown>): Promise<typeof SILENCE> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(SILENCE), ms);
    const stop = () => clearTimeout(timer);
    unless.then(stop, stop);
  });
}
