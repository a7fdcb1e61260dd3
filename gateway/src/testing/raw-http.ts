/** Test support: bytes on a socket as they are, where a client of HTTP would tidy them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test knows what it asked for
  readonly body: any;
}

/** An open connection; what the other side does to it is no error here. */
export async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Everything that comes back for some bytes, until the other side closes. */
export async function exchange(port: number, bytes: string | Uint8Array): Promise<string> {
  const socket = await open(port);
  socket.write(bytes);
  return text(socket).catch(() => '');
}

/** The one answer in what came back. */
export function readAnswer(received: string): RawAnswer {
  const [head = '', body = ''] = received.split(/\r\n\r\n(.*)/s);
  return {
    status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? 0),
    head,
    body: body.startsWith('{') ? JSON.parse(body) : body,
  };
}

/** A request that says that it is the last one of its connection. */
export function requestOf(
  method: string,
  path: string,
  body: string | Uint8Array = '',
  headers: readonly string[] = [],
): Buffer {
  const bytes = Buffer.from(body);
  const lines = [
    `${method} /api/v1${path} HTTP/1.1`,
    'Host: x',
    'Authorization: Bearer admin',
    'Connection: close',
    ...(bytes.length > 0 ? [`Content-Length: ${bytes.length}`] : []),
    ...headers,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes]);
}
