/**
 * A TCP proxy before a server, for servers that freeze or go away, and for networks that are slow: what a network does to
 * them, without touching them.
 */
import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface FreezableProxy extends AsyncDisposable {
  /** The server's URL through the proxy. */
  readonly url: string;
  /** From now on connections are taken and nothing comes back, as from a process that was stopped. */
  freeze(): void;
  /** From now on whatever passes takes so much longer, each way. */
  delay(ms: number): void;
  /** Cuts the connections there are; new ones are taken. */
  cut(): void;
  /** From now on connections are refused, and those there are cut. */
  stop(): Promise<void>;
  /** All is well again; what was held back is passed on. */
  resume(): Promise<void>;
}

/**
 * @param target where the server is: a URL with host and port
 * @param query is added to the URL
 */
export async function freezableProxy(
  target: string,
  query: Readonly<Record<string, string>> = {},
): Promise<FreezableProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<readonly [Socket, Socket]>();
  let delayMs = 0;
  let thaw: (() => void) | undefined;
  let frozen: Promise<void> | undefined;

  const pass = async (from: Socket, to: Socket) => {
    try {
      for await (const chunk of from) {
        if (delayMs > 0) await sleep(delayMs);
        await frozen;
        if (!to.write(chunk)) await once(to, 'drain');
      }
      to.end();
    } catch {
      to.destroy(); // one of the two ends is gone
    }
  };
  const server = createServer((client) => {
    const pair = [client, dial(Number(port), hostname)] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay();
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        for (const one of pair) one.destroy();
      });
    }
    void pass(client, pair[1]);
    void pass(pair[1], client);
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

  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  const stop = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    cut();
    await closed;
  };
  return {
    url: url.href,
    freeze() {
      if (frozen) return;
      ({ promise: frozen, resolve: thaw } = Promise.withResolvers<void>());
    },
    delay(ms) {
      delayMs = ms;
    },
    cut,
    stop,
    async resume() {
      delayMs = 0;
      thaw?.();
      frozen = undefined;
      if (!server.listening) await listen(own);
    },
    [Symbol.asyncDispose]: stop,
  };
}
