/** Answers that go on for a while: bounded in number and in time, and let go when nobody reads them. */
import { Readable } from 'node:stream';
import type { CallOptions } from '@connectrpc/connect';
import { AppError } from '@tidemark/errors/app-error';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { gauge } from '@tidemark/service-kit/metrics';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../authenticate.ts';
import { seesCluster } from '../authorize.ts';
import type { Limits } from '../limits.ts';
import { refused } from '../refused.ts';
import { toError } from './error-response.ts';
import { unknownBackup } from './find-backup.ts';
import { callOptions, type RouteDependencies } from './route.ts';

export type StreamLimits = Pick<Limits, 'streams' | 'streamsPerToken' | 'streamMs' | 'heartbeatMs'>;

/** How many streams there are, of each token and in all. */
export interface StreamGate {
  readonly limits: StreamLimits;
  /**
   * @returns gives the place back
   * @throws AppError `too_many_requests` when this token has too many streams, `unavailable` when all together have
   */
  enter(tokenId: string): () => void;
}

const RETRY_MS = 5_000;
const streamsNow = gauge('tidemark_http_streams', 'Streams of events and logs that are open.');

export function createStreamGate(limits: StreamLimits): StreamGate {
  const open = new Map<string, number>();
  let total = 0;
  return {
    limits,
    enter(tokenId) {
      const own = open.get(tokenId) ?? 0;
      if (own >= limits.streamsPerToken) {
        refused.inc({ reason: 'streams of one token' });
        throw new AppError(
          'too_many_requests',
          `This token has ${own} streams open, which is as many as it may have; close one.`,
          { retryAfterMs: RETRY_MS },
        );
      }
      if (total >= limits.streams) {
        refused.inc({ reason: 'streams' });
        throw new AppError('unavailable', 'The gateway has as many streams open as it can; try again shortly.', {
          retryAfterMs: RETRY_MS,
        });
      }
      open.set(tokenId, own + 1);
      total += 1;
      streamsNow.set(total);
      return () => {
        const left = (open.get(tokenId) ?? 1) - 1;
        if (left > 0) open.set(tokenId, left);
        else open.delete(tokenId);
        total -= 1;
        streamsNow.set(total);
      };
    },
  };
}

export interface StreamAnswer {
  readonly type: string;
  /** Whose stream it is: it ends once the caller may see this one no longer. */
  readonly backup: Pick<Backup, 'id' | 'clusterId'>;
  /** Sent for as long as nothing comes; a comment, where the type knows such. */
  readonly beat?: string;
  /** Begins the call to a service, which is cancelled when the client goes, the gateway stops, or the time is over. */
  open(options: CallOptions): AsyncIterable<string | Uint8Array>;
}

/**
 * Answers with a stream.
 *
 * @throws AppError as `StreamGate.enter`
 */
export function sendStream(
  request: FastifyRequest,
  reply: FastifyReply,
  dependencies: RouteDependencies,
  { type, backup, beat, open }: StreamAnswer,
): FastifyReply {
  const { streams, stopping } = dependencies;
  const { limits } = streams;
  reply.type(type).header('cache-control', 'no-store').header('x-accel-buffering', 'no');
  if (request.method === 'HEAD') return reply.send();
  request.gone.throwIfAborted();
  request.gone.addEventListener('abort', streams.enter(request.caller.tokenId), { once: true });
  request.place.leave();
  const { gone, authenticateAgain } = request;
  const end = endOfStream({ backup, authenticateAgain, limits, until: gone });
  const signal = AbortSignal.any([gone, stopping, end]);
  const { headers } = callOptions(request, dependencies);
  const chunks = open({ signal, ...(headers && { headers }) });
  const body = withBeats(chunks, beat, limits.heartbeatMs, () => reply.raw.flushHeaders());
  return reply.send(Readable.from(body, { objectMode: false }));
}

export interface OpenStream {
  readonly backup: Pick<Backup, 'id' | 'clusterId'>;
  /** The caller as the token that opened the stream proves it now. @throws AppError as at first */
  readonly authenticateAgain: () => Promise<Caller>;
  readonly limits: Pick<StreamLimits, 'streamMs' | 'heartbeatMs'>;
  /** Aborts when the stream is over. */
  readonly until: AbortSignal;
}

/** What a client is told whose stream has lasted for as long as one may. */
export function streamIsOver(): AppError {
  return new AppError('unavailable', 'A stream lasts no longer; call again.');
}

/**
 * Aborts, with the error that says why, when a stream has lasted for as long as one may, or when the token that opened it
 * is good no longer or does not see the backup any more.
 */
export function endOfStream({ backup: { id, clusterId }, authenticateAgain, limits, until }: OpenStream): AbortSignal {
  const end = new AbortController();
  if (until.aborted) return end.signal;
  const look = async () => {
    try {
      if (!seesCluster(await authenticateAgain(), clusterId)) end.abort(unknownBackup(id));
    } catch (thrown) {
      const error = toError(thrown);
      if (error.row.http === 401) end.abort(error);
    }
  };
  const looks = setInterval(() => void look(), limits.heartbeatMs).unref();
  const timer = setTimeout(() => end.abort(streamIsOver()), limits.streamMs).unref();
  until.addEventListener(
    'abort',
    () => {
      clearInterval(looks);
      clearTimeout(timer);
    },
    { once: true },
  );
  return end.signal;
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
