import { Agent, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A client that costs little beside what it measures: plain Node.js over connections that are kept. */
export interface HttpClient extends Disposable {
  /** @param path from the client's address on */
  call(method: string, path: string, body?: object, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}

/** @param token is sent with each request where there is one */
export function openHttpClient(url: string, token?: string): HttpClient {
  const agent = new Agent({ keepAlive: true });
  const headers = {
    'content-type': 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  return {
    call(method, path, body, more = {}) {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      const text = body && JSON.stringify(body);
      const length = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) };
      const outgoing = request(
        url + path,
        { method, agent, headers: { ...headers, ...length, ...more } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(text);
      return promise;
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

/** A call that must succeed; answers its JSON. @throws Error with what was answered instead */
export async function mustCall<T>(client: HttpClient, method: string, path: string, body?: object): Promise<T> {
  const { status, text } = await client.call(method, path, body);
  if (status !== 200) throw new Error(`${method} ${path} was answered with ${status}: ${text.slice(0, 300)}`);
  return JSON.parse(text) as T;
}
