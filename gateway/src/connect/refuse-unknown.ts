import type { IncomingHttpHeaders } from 'node:http';
import { status } from '@grpc/grpc-js';

/** What of an answer it takes to refuse: of HTTP/1.1 and of HTTP/2. */
export interface Refusable {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(): unknown;
  write(body: Buffer): unknown;
}

const MESSAGE = 'There is no such method here.';
const CONNECT_ERROR = { code: 'unimplemented', message: MESSAGE };
const END_OF_STREAM = 2;

/** Says that there is no such method, as the protocol that the client speaks says it: a 404 it would take for a fault. */
export function refuseUnknown(response: Refusable, { 'content-type': contentType = '' }: IncomingHttpHeaders): void {
  if (/^application\/grpc(-web)?(\+|;|$)/.test(contentType)) {
    answer(response, 200, contentType, { 'grpc-status': String(status.UNIMPLEMENTED), 'grpc-message': MESSAGE });
  } else if (/^application\/connect\+/.test(contentType)) {
    const end = Buffer.from(JSON.stringify({ error: CONNECT_ERROR }));
    const head = Buffer.alloc(5);
    head.writeUInt8(END_OF_STREAM);
    head.writeUInt32BE(end.length, 1);
    answer(response, 200, contentType, {}, Buffer.concat([head, end]));
  } else {
    answer(response, 501, 'application/json', {}, Buffer.from(JSON.stringify(CONNECT_ERROR)));
  }
}

function answer(
  response: Refusable,
  code: number,
  contentType: string,
  headers: Readonly<Record<string, string>>,
  body?: Buffer,
): void {
  response.statusCode = code;
  response.setHeader('content-type', contentType);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  // Without a body the headers are the trailers as well, which is how gRPC wants them.
  if (body) response.write(body);
  response.end();
}
