import { setTimeout as sleep } from 'node:timers/promises';

/** The cluster of the documented samples. */
export const DEMO_CLUSTER = 'test-tidb';
const DEMO_STORAGE = 'local';

/** How long the services may answer that they cannot just now. */
const RETRY_FOR_MS = 15_000;
const ANSWER_MS = 10_000;

/** What is registered at each start. */
export interface Registration {
  /** host:port of each PD. */
  readonly pd: readonly string[];
  /** Of the cluster; empty where it is not known, and then the newest `br` is taken. */
  readonly version: string;
  /** Absolute folder that backups are written below. */
  readonly storage: string;
}

/**
 * Registers the local storage and the cluster `test-tidb` through the API, as any user would.
 *
 * @throws a sentence with what the API answered
 */
export async function register(
  api: { readonly url: string; readonly token: string },
  { pd, version, storage }: Registration,
  signal: AbortSignal,
): Promise<void> {
  await put(api, `storages/${DEMO_STORAGE}`, { type: 'local', path: storage }, signal);
  const cluster = { name: DEMO_CLUSTER, pd, version, storageId: DEMO_STORAGE };
  await put(api, `clusters/${DEMO_CLUSTER}`, cluster, signal);
}

async function put(
  { url, token }: { readonly url: string; readonly token: string },
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<void> {
  const giveUpAt = performance.now() + RETRY_FOR_MS;
  for (;;) {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    const answer = await response.text();
    if (response.ok) return;
    if (response.status !== 503 || performance.now() > giveUpAt) {
      throw new Error(`The gateway refused PUT /api/v1/${path} with ${response.status}: ${answer}`);
    }
    await sleep(200, undefined, { signal });
  }
}
