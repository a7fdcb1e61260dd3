import { constants, type ServerHttp2Stream } from 'node:http2';
import { AppError } from '@tidemark/errors/app-error';
import { refused } from '../edge/refused.ts';
import { untilAborted } from './until-aborted.ts';

/** How long a client may go on sending after that answer; nobody reads it. */
const LINGER_MS = 1_000;

/**
 * A request over HTTP/2, which must be there in time: Node keeps such a deadline for HTTP/1.1 alone, and a call of which
 * only a part ever comes would take its place for good.
 *
 * @throws ConnectError once `ms` have passed
 */
export async function* withRequestTimeout(
  chunks: AsyncIterable<Uint8Array>,
  ms: number,
  stream: ServerHttp2Stream,
): AsyncGenerator<Uint8Array> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    refused.inc({ reason: 'slow' });
    late.abort(new AppError('invalid_argument', 'The request did not arrive in time.'));
    setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), LINGER_MS).unref();
  }, ms).unref();
  try {
    yield* untilAborted(chunks, late.signal);
  } finally {
    clearTimeout(timer);
  }
}
