/** Backups from their start to their end over real processes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from 'mongodb';
import { clusterDocument, insertAll, type StoredDocument } from '../documents.ts';
import type { HttpClient } from './http-client.ts';

const POLL_MS = 20;
const LIMIT_MS = 120_000;
const RETRY_MS = 500;
const MOST_TRIES = 20;
/** What a local stack registers its storage as. */
export const STORAGE = 'local';

/** Registers clusters `<prefix>-0` and on. */
export async function addClusters(database: Db, prefix: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  const clusters = database.collection<StoredDocument>('clusters');
  await insertAll(clusters, count, (index) => clusterDocument(ids[index] ?? '', STORAGE));
  return ids;
}

/** Starts a backup as a careful client does, which repeats under its key what could not be answered; answers its id. */
export async function startBackup(api: HttpClient, clusterId: string, key = clusterId): Promise<string> {
  const headers = { 'idempotency-key': key };
  for (let tries = 1; ; tries += 1) {
    const { status, text } = await api.call('POST', '/backups', { clusterId }, headers);
    if (status === 200) return (JSON.parse(text) as { data: { backupId: string } }).data.backupId;
    if (status !== 503 || tries === MOST_TRIES) throw new Error(`A start was answered with ${status}: ${text}`);
    await sleep(RETRY_MS);
  }
}

interface Wait {
  readonly signal: AbortSignal;
  readonly limitMs?: number;
}

/** Waits until that many backups are in a state, asked of the database so that the API has nothing more to do. */
export async function untilCount(
  database: Db,
  { state, count, ...wait }: { readonly state: string; readonly count: number } & Wait,
): Promise<void> {
  const found = () => database.collection('backups').countDocuments({ state });
  await until((n) => n >= count, found, `of ${count} backups are ${state}`, wait);
}

/** Waits until no backup has anything left to do, which is cheap to ask for however many there are. */
export async function untilIdle(database: Db, wait: Wait): Promise<void> {
  const left = () => database.collection('backups').countDocuments({ 'task.ringAt': { $gt: new Date(0) } });
  await until((n) => n === 0, left, 'backups have not ended', wait);
}

async function until(
  enough: (count: number) => boolean,
  counted: () => Promise<number>,
  what: string,
  { signal, limitMs = LIMIT_MS }: Wait,
): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  for (;;) {
    const count = await counted();
    if (enough(count)) return;
    if (performance.now() > giveUpAt) throw new Error(`After ${limitMs / 1000} s, ${count} ${what}.`);
    await sleep(POLL_MS, undefined, { signal });
  }
}
