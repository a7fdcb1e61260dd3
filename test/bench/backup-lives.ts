/** Backups from their start to their end over real processes, one cluster each. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from 'mongodb';
import { clusterDocument, insertAll, type StoredDocument } from '../documents.ts';
import { type HttpClient, mustCall } from './http-client.ts';

const POLL_MS = 20;
const LIMIT_MS = 120_000;
/** What a local stack registers its storage as. */
export const STORAGE = 'local';

/** Registers clusters `<prefix>-0` and on. */
export async function addClusters(database: Db, prefix: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  const clusters = database.collection<StoredDocument>('clusters');
  await insertAll(clusters, count, (index) => clusterDocument(ids[index] ?? '', STORAGE));
  return ids;
}

/** Starts a backup as a client does; answers its id. */
export async function startBackup(api: HttpClient, clusterId: string): Promise<string> {
  const { data } = await mustCall<{ data: { backupId: string } }>(api, 'POST', '/backups', { clusterId });
  return data.backupId;
}

/** Waits until that many backups are in a state, asked of the database so that the API has nothing more to do. */
export async function untilCount(
  database: Db,
  wanted: { readonly state: string; readonly count: number; readonly signal: AbortSignal; readonly limitMs?: number },
): Promise<void> {
  const { state, count, signal, limitMs = LIMIT_MS } = wanted;
  const giveUpAt = performance.now() + limitMs;
  for (;;) {
    const found = await database.collection('backups').countDocuments({ state });
    if (found >= count) return;
    if (performance.now() > giveUpAt) throw new Error(`Only ${found} of ${count} backups were ${state} in time.`);
    await sleep(POLL_MS, undefined, { signal });
  }
}
