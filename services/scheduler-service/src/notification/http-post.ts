/** One POST to a receiver, to the address that was looked at; redirects are not followed, and little is read of the answer. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { MAX_RECEIVER_ANSWER_BYTES } from '@tidemark/limits/limits';
import { type Network, pinnedLookup } from './addresses.ts';

export interface Post {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** For so long the rest of an answer is read. */
const ANSWER_MS = 500;

/**
 * Sends it. @returns the status of the answer
 *
 * @throws NoAddress, or what Node throws of the connection
 */
export async function post(
  { url, headers, body }: Post,
  networks: readonly Network[],
  signal: AbortSignal,
): Promise<number> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const lookup = await pinnedLookup(url.hostname, networks, signal);
  return await new Promise((resolve, reject) => {
    const request = send(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)), 'user-agent': 'tidemark' },
      agent: false,
      lookup,
      signal,
    });
    request.on('error', reject);
    // An answer that would change the protocol is neither a response nor an error.
    const unanswered = () => reject(new Error('The connection was closed without an answer.'));
    request.once('close', unanswered);
    request.once('response', (response) => {
      request.off('close', unanswered);
      let read = 0;
      // The status has said all; what comes behind it is read for a moment, so that the receiver can end in good order.
      const done = () => {
        clearTimeout(late);
        resolve(response.statusCode ?? 0);
        request.destroy();
      };
      const late = setTimeout(done, ANSWER_MS);
      response.on('data', (piece: Buffer) => {
        read += piece.length;
        if (read > MAX_RECEIVER_ANSWER_BYTES) done();
      });
      response.once('end', done);
      response.on('error', done);
    });
    request.end(body);
  });
}
