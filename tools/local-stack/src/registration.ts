import { setTimeout as sleep } from 'node:timers/promises';

/** The cluster of the documented samples. */
export const DEMO_CLUSTER = 'test-tidb';
const DEMO_STORAGE = 'local';

/** How long the services may answer that they cannot just now. */
const RETRY_FOR_MS = 15_000;
const ANSWER_MS = 10_000;

/** What is registered at the first start. */
export interface Registration {
  /** host:port of each PD. */
  readonly pd: readonly string[];
  /** Of the cluster; empty where it is not known, and then the newest `br` is taken. */
  readonly version: string;
  /** Absolute folder that backups are written below. */
  readonly storage: string;
  /** What was asked for in so many words, and so is put also where it was registered before. */
  readonly anew: { readonly cluster: boolean; readonly storage: boolean };
}

/**
 * Registers the local storage and the cluster `test-tidb` through the API, as any user would. What is registered already
 * stays as people have made it.
 *
 * @throws a sentence with what the API answered
 */
export async function register(
  api: Api,
  { pd, version, storage, anew }: Registration,
  signal: AbortSignal,
): Promise<void> {
  const put = async (path: string, body: object, again: boolean) => {
    if (again || (await ask(api, 'GET', path, undefined, signal)) === 404) await ask(api, 'PUT', path, body, signal);
  };
  await put(`storages/${DEMO_STORAGE}`, { type: 'local', path: storage }, anew.storage);
  const cluster = { name: DEMO_CLUSTER, pd, version, storageId: DEMO_STORAGE };
  await put(`clusters/${DEMO_CLUSTER}`, cluster, anew.cluster);
}

/** Where the API is, and a token for it. */
export interface Api {
  readonly url: string;
  readonly token: string;
}

/**
 * Makes a call, again and again while the services cannot answer just now.
 *
 * @param fine further statuses that are as good as 200
 * @returns the status: 200, 404 of a `GET`, or one of those
 * @throws a sentence with what the API answered
 */
export async function ask(
  { url, token }: Api,
  method: 'GET' | 'PUT' | 'POST',
  path: string,
  body: object | undefined,
  signal: AbortSignal,
  fine: readonly number[] = [],
): Promise<number> {
  const giveUpAt = performance.now() + RETRY_FOR_MS;
  for (;;) {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    const answer = await response.text();
    const isFine = response.ok || (method === 'GET' && response.status === 404) || fine.includes(response.status);
    if (isFine) return response.status;
    if (response.status !== 503 || performance.now() > giveUpAt) {
      throw new Error(`The gateway refused ${method} /api/v1/${path} with ${response.status}: ${answer}`);
    }
    await sleep(200, undefined, { signal });
  }
}
