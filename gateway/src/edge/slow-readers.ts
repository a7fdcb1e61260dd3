import type { ServerResponse } from 'node:http';
import { constants, type Http2ServerResponse } from 'node:http2';
import { refused } from './refused.ts';

/** Ends the connection of a client that takes nothing of an answer that lies ready for it; of HTTP/2, the one stream. */
export function cutSlowReader(response: ServerResponse | Http2ServerResponse, stalledMs: number): void {
  if ('stream' in response) cutStream(response, stalledMs);
  else cutConnection(response, stalledMs);
}

function cutConnection(response: ServerResponse, stalledMs: number): void {
  response.setTimeout(stalledMs, () => {
    const { socket } = response;
    if (response.writableFinished || response.destroyed) return;
    if (!socket || socket.writableLength === 0) {
      response.setTimeout(stalledMs); // nothing is ready yet: this is ours to wait for
      return;
    }
    refused.inc({ reason: 'stalled' });
    socket.destroy();
  });
}

function cutStream({ stream }: Http2ServerResponse, stalledMs: number): void {
  stream.setTimeout(stalledMs);
  stream.on('timeout', () => {
    if (stream.writableLength === 0) {
      stream.setTimeout(stalledMs);
      return;
    }
    refused.inc({ reason: 'stalled' });
    stream.close(constants.NGHTTP2_CANCEL);
  });
}
