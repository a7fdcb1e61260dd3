import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HABITS, type Habit, type HabitName, isList, type StoreRequest, type WrittenAnswer } from './habits.ts';
import type { ObjectStore } from './object-store.ts';

/** A store with a habit: a proxy in front of a real one that takes requests by path and any signature. */
export interface OddStore extends ObjectStore {
  /** From the next request on the store has this habit and no other. */
  takeUp(habit: HabitName): void;
  /** The requests since the habit was taken up. */
  readonly requests: readonly StoreRequest[];
}

export interface OddStoreOptions {
  /** The most that a page of a list holds, so that a few files are several pages; as the real store has it when left out. */
  readonly keysInPage?: number;
}

/**
 * Starts a proxy without habits.
 *
 * @param target the endpoint of the real store
 */
export async function startOddStore(target: string, { keysInPage }: OddStoreOptions = {}): Promise<OddStore> {
  const agent = new Agent({ keepAlive: true });
  let habit: Habit = HABITS.none;
  let requests: StoreRequest[] = [];

  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { request, bucket } = await readRequest(incoming, requests.length);
    requests.push(request);
    const { answer, missing, pass, relist, delayMs } = habit;
    const put = ({ status, type, body }: WrittenAnswer) =>
      void outgoing.writeHead(status, { 'content-type': type }).end(body);
    if (delayMs !== undefined) await sleep(delayMs);
    const answered = answer?.(request);
    if (answered === 'cut') return void incoming.socket.destroy();
    if (answered !== undefined) {
      incoming.resume(); // the body that nobody wants may still be on its way
      return put(answered);
    }
    const { key, query } = pass?.(request) ?? request;
    const list = isList(request);
    const wanted = new URLSearchParams(query);
    if (list && keysInPage !== undefined) wanted.set('max-keys', String(keysInPage));
    const path = `/${bucket}${key === '' ? '' : `/${encodeKey(key)}`}`;
    const { method, headers } = incoming;
    const upstream = send(`${target}${path}?${wanted}`, { method: method ?? 'GET', headers, agent });
    upstream.on('error', () => incoming.socket.destroy());
    upstream.on('response', (response) => {
      if (list && relist !== undefined) return void passList(response, outgoing, (xml) => relist(request, xml));
      if (missing !== undefined && key !== '' && response.statusCode === 404) {
        response.resume();
        return put(missing);
      }
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    if (method === 'POST') upstream.end(request.body);
    else incoming.pipe(upstream);
  };
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    takeUp(name) {
      habit = HABITS[name];
      requests = [];
    },
    get requests() {
      return requests;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
}

async function readRequest(incoming: IncomingMessage, before: number) {
  const { method = 'GET', headers, url = '/' } = incoming;
  const [rawPath = '', ...rest] = url.split('?');
  const [, bucket = '', ...key] = rawPath.split('/');
  const request: StoreRequest = {
    method,
    key: decodeURIComponent(key.join('/')),
    query: new URLSearchParams(rest.join('?')),
    headers,
    body: method === 'POST' ? await textOf(incoming) : '',
    before,
  };
  return { request, bucket };
}

async function passList(response: IncomingMessage, outgoing: ServerResponse, change: (xml: string) => string) {
  const body = change(await textOf(response));
  const { 'content-length': _, 'transfer-encoding': __, ...headers } = response.headers;
  outgoing.writeHead(response.statusCode ?? 502, headers).end(body);
}

async function textOf(stream: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

function encodeKey(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/');
}
