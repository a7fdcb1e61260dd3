import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Of the length that each message begins with. */
const HEAD_BYTES = 4;

export interface QueryCounter extends AsyncDisposable {
  /** The database's URL, by way of the counter. */
  readonly url: string;
  /** Messages that clients have sent. */
  count(): number;
}

/**
 * Passes everything on to a database and counts the messages to it, monitoring included: each begins with its length, as
 * MongoDB's protocol has it.
 */
export async function startQueryCounter(mongodbUrl: string): Promise<QueryCounter> {
  const target = new URL(mongodbUrl);
  const [port, host] = [Number(target.port || 27_017), target.hostname];
  // Others that the server may name would be asked directly.
  target.searchParams.set('directConnection', 'true');
  let counted = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = connect(port, host);
    let skip = 0;
    let head = Buffer.alloc(0);
    client.on('data', (chunk: Buffer) => {
      for (let rest = chunk; rest.length > 0; ) {
        const passed = Math.min(skip, rest.length);
        skip -= passed;
        rest = rest.subarray(passed);
        const taken = rest.subarray(0, HEAD_BYTES - head.length);
        head = Buffer.concat([head, taken]);
        rest = rest.subarray(taken.length);
        if (head.length < HEAD_BYTES) break;
        counted += 1;
        skip = head.readInt32LE() - HEAD_BYTES;
        head = Buffer.alloc(0);
      }
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  target.host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  return {
    url: target.href,
    count: () => counted,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
