/** Answers that go on for a while: bounded in number and in time, and let go when nobody reads them. */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { endOfStream, subjectOfStream } from '../calls/end-of-stream.ts';
import { openStream } from '../calls/open-stream.ts';
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
  /** Whether the first message is waited for: where the service refuses instead, that is the answer. */
  readonly mayBeRefused?: true;
  /** Sent for as long as nothing comes; a comment, where the type knows such. */
  readonly beat?: string;
  /** @throws AppError `invalid_argument` */
  toRequest(read: ReadOf<Op>): RequestInit<Op['call']>;
  /** @param gone aborts when nobody reads it any more */
  toText(messages: AsyncIterable<ResponseOf<Op['call']>>, gone: AbortSignal): AsyncIterable<string | Uint8Array>;
}

/** Adds a route that answers with a stream; it ends once the caller may see no longer what that is about. */
export function streamRoute<const Op extends CallOperation>(
  app: FastifyInstance,
  dependencies: CallDependencies,
  { path, operation, failureNumber, type, mayBeRefused, beat, toRequest, toText }: StreamRow<Op>,
): void {
  const name: Op['call'] = operation.call;
  const { streams, stopping } = dependencies;
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
    const about = subjectOfStream(name, prepared.acting);
    const end = endOfStream({ about, authenticateAgain, limits, until: gone });
    const signal = AbortSignal.any([gone, stopping, end]);
    const { headers } = callOptions(request, dependencies);
    const messages = openStream(name, prepared, dependencies, { signal, ...(headers && { headers }) });
    const chunks = toText(mayBeRefused ? await begun(messages) : messages, gone);
    const body = withBeats(chunks, beat, limits.heartbeatMs, () => reply.raw.flushHeaders());
    return reply.send(Readable.from(body, { objectMode: false }));
  });
}

/** The same items, of which the first is there. @throws what comes in its place */
async function begun<T>(items: AsyncIterable<T>): Promise<AsyncGenerator<T>> {
  const iterator = items[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    try {
      for (let next = first; !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
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
