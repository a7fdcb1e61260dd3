/** A TCP proxy before a server, for servers that freeze or go away: what a network does to them, without touching them. */
import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';

export interface FreezableProxy extends AsyncDisposable {
  /** The server's URL through the proxy. */
  readonly url: string;
  /** From now on connections are taken and nothing comes back, as from a process that was stopped. */
  freeze(): void;
  /** From now on connections are refused, and those there are cut. */
  stop(): Promise<void>;
  /** All is well again; what was held back is passed on. */
  resume(): Promise<void>;
}

/** @param query is added to the URL */
export async function freezableProxy(
  target: string,
  query: Readonly<Record<string, string>> = {},
): Promise<FreezableProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<readonly [Socket, Socket]>();
  let frozen = false;
  const flow = ([client, upstream]: readonly [Socket, Socket]) => client.pipe(upstream).pipe(client);
  const hold = ([client, upstream]: readonly [Socket, Socket]) => {
    client.unpipe();
    upstream.unpipe();
  };
  const server = createServer({ pauseOnConnect: true }, (client) => {
    const pair = [client, dial(Number(port), hostname)] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        for (const one of pair) one.destroy();
      });
    }
    if (!frozen) flow(pair);
  });
  const listen = async (at: number): Promise<number> => {
    server.listen(at, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  };
  const own = await listen(0);
  const url = new URL(target);
  url.host = `127.0.0.1:${own}`;
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);

  const stop = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    await closed;
  };
  return {
    url: url.href,
    freeze() {
      frozen = true;
      for (const pair of pairs) hold(pair);
    },
    stop,
    async resume() {
      if (frozen) for (const pair of pairs) flow(pair);
      frozen = false;
      if (!server.listening) await listen(own);
    },
    [Symbol.asyncDispose]: stop,
  };
}
