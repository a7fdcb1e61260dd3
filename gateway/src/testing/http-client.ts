/** Test support: the documented API over a socket, to the byte. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';

export interface Sent {
  readonly body?: string | object;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly token?: string | null;
  /** Pieces in which the body goes out, without its length being said before. */
  readonly chunked?: boolean;
}
export interface Received {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test knows what it asked for
  readonly body: any;
}

/**
 * Sends a request to this machine; resolves when the head of the answer is there. The path lies below /api/v1 unless it begins
 * with /api/.
 */
export async function sendTo(port: number, method: string, path: string, sent: Sent = {}): Promise<IncomingMessage> {
  const { body = '', headers = {}, token = 'admin', chunked = false } = sent;
  const bytes = typeof body === 'string' ? body : JSON.stringify(body);
  const request = httpRequest({
    port,
    host: '127.0.0.1',
    method,
    path: path.startsWith('/api/') || path === '*' ? path : `/api/v1${path}`,
    agent: false,
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(chunked
        ? { 'transfer-encoding': 'chunked' }
        : bytes && { 'content-length': String(Buffer.byteLength(bytes)) }),
      ...headers,
    },
  });
  if (chunked) for (const piece of bytes.match(/.{1,7}/gs) ?? []) request.write(piece);
  request.end(chunked ? undefined : bytes);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** Sends a request and answers with all that comes back. */
export async function askAt(port: number, method: string, path: string, sent: Sent = {}): Promise<Received> {
  const response = await sendTo(port, method, path, sent);
  const received = await text(response);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: received,
    body: received.startsWith('{') ? JSON.parse(received) : undefined,
  };
}

/** That an answer is a failure in the envelope, in the order of the document. */
export function expectFailure(answer: Received, status: number, code: number): void {
  expect([answer.status, answer.body?.code], answer.text).toEqual([status, code]);
  expect(Object.keys(answer.body).slice(0, 4)).toEqual(['code', 'message', 'data', 'requestId']);
  expect(answer.body).toMatchObject({ message: expect.stringMatching(/\S/), data: {} });
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(answer.headers).toMatchObject({
    'x-request-id': answer.body.requestId,
    'em-x-trace-id': answer.body.requestId,
  });
}

/** The bad fields that a failure names. */
export const badFields = ({ body }: Received) => body.details.fields.map(({ field }: { field: string }) => field);
