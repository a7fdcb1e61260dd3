/**
 * Documents as the services store them, for worlds that are too large to be made call by call. Whoever needs only a few
 * asks the API.
 */
import { EPOCH } from '@tidemark/mongo/time-range';
import type { Collection, Db, Document } from 'mongodb';

const MINUTE_MS = 60_000;
const WINDOW_MS = 23 * 60 * MINUTE_MS;
const DAY_MS = 86_400_000;
const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const BATCH = 1_000;

export interface StoredWindow {
  readonly opensAt: Date;
  readonly closesAt: Date;
  readonly startAt: Date;
}

/** A document whose `_id` is a text, as all are. */
export interface StoredDocument extends Document {
  readonly _id: string;
}

/** A window of 23 hours that opened with the current hour, with a start at the given moment. */
export function openWindow(startAt: Date): StoredWindow {
  const opensAt = new Date(Math.floor(startAt.getTime() / (60 * MINUTE_MS)) * 60 * MINUTE_MS);
  return { opensAt, closesAt: new Date(opensAt.getTime() + WINDOW_MS), startAt };
}

/** The rule `default` of a cluster, which has this window every day. */
export function strategyDocument(clusterId: string, nextWindow: StoredWindow): StoredDocument {
  const { opensAt, closesAt } = nextWindow;
  const at = new Date(opensAt.getTime() - DAY_MS);
  return {
    _id: `${clusterId}:default`,
    clusterId,
    rule: 'default',
    days: WEEKDAYS,
    period: `${hourText(opensAt)}-${hourText(closesAt)}`,
    timeZone: 'UTC',
    paused: false,
    retention: null,
    windowEnd: 'letRun',
    storageId: '',
    brOptions: null,
    nextWindow,
    lastTaken: null,
    fleetStrategy: '',
    fleetPaused: false,
    createdIn: 'documents',
    revision: 1,
    createTime: at,
    updateTime: at,
    updatedBy: 'test',
  };
}

/** H:MM in UTC. */
function hourText(at: Date): string {
  return `${at.getUTCHours()}:${String(at.getUTCMinutes()).padStart(2, '0')}`;
}

/** A window of that cluster which started a backup. */
export function startedOccurrence(clusterId: string, window: StoredWindow): StoredDocument {
  const { opensAt, closesAt, startAt } = window;
  return {
    _id: `${clusterId}:default:${opensAt.toISOString()}`,
    clusterId,
    rule: 'default',
    opensAt,
    closesAt,
    startAt,
    late: false,
    lastGoodAt: new Date(0),
    state: 'Started',
    backupId: `backup-of-${clusterId}`,
    code: '',
    reason: '',
    windowEnd: 'letRun',
    stopAt: null,
    nextTryAt: startAt,
    decidedAt: startAt,
    createTime: startAt,
  };
}

/** A registered cluster. */
export function clusterDocument(id: string, storageId: string): StoredDocument {
  const at = new Date(Date.now() - DAY_MS);
  return {
    _id: id,
    name: id,
    // Clusters with a PD in common would be one.
    pd: [`${id}.pd:2379`],
    version: '8.5.0',
    pool: 'default',
    storageId,
    timeZone: 'UTC',
    labels: {},
    createTime: at,
    updateTime: at,
  };
}

/** What strategy-service has noted of a cluster that was registered long ago. */
export function labelsDocument(clusterId: string): StoredDocument {
  return { _id: clusterId, labels: [], timeZone: 'UTC', pending: '' };
}

/** Inserts so many documents, made one by one, in batches. */
export async function insertAll(
  collection: Collection<StoredDocument>,
  count: number,
  make: (index: number) => StoredDocument,
  signal?: AbortSignal,
): Promise<void> {
  for (let from = 0; from < count; from += BATCH) {
    signal?.throwIfAborted();
    const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => make(from + index));
    await collection.insertMany(batch, { ordered: false });
  }
}

/** Whether a window is due or waits for its start: two questions that cost next to nothing, for those who wait for none. */
export async function anyWindowWaits(database: Db): Promise<boolean> {
  const within = { $gt: EPOCH, $lte: new Date(Date.now() + MINUTE_MS) };
  const [due, pending] = await Promise.all([
    database.collection('strategies').findOne({ 'nextWindow.startAt': within }),
    database.collection('occurrences').findOne({ state: 'Pending', nextTryAt: within }),
  ]);
  return due !== null || pending !== null;
}

/** A backup that was accepted just now, as it is before anybody rang for it. */
export function queuedBackup(
  id: string,
  { clusterId, storage, at }: { readonly clusterId: string; readonly storage: Document; readonly at: Date },
): StoredDocument {
  const path = `${clusterId}/${id}`;
  const { _id: storageId = 'bench', root: _, maxConcurrent = 0, ...location } = storage;
  return {
    _id: id,
    request: { hash: 'bench', id, key: id },
    createdBy: 'bench',
    clusterId,
    mode: 'manual',
    type: 'full',
    method: 'physical',
    origin: 'request',
    target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
    storage: { id: storageId, maxConcurrent, ...location },
    basePath: path,
    path,
    leftovers: [],
    state: 'Queued',
    activeKey: `cluster:${clusterId}`,
    slotKey: `backup:${id}`,
    deadline: new Date(at.getTime() + DAY_MS),
    fence: 0,
    task: { kind: 'backup', ringAt: at, notBefore: at, rings: 0, tries: 0 },
    progress: null,
    result: null,
    reason: null,
    failures: 0,
    losses: 0,
    attempts: [],
    cancel: null,
    deletion: { state: 'None' },
    holds: [],
    startTime: at,
    endTime: null,
    createTime: at,
    updateTime: at,
    deleteTime: null,
    revision: 1,
    schemaVersion: 1,
  };
}

/** A backup that ended at the given moment, after one attempt. */
export function finishedBackup(
  id: string,
  clusterId: string,
  state: 'Succeeded' | 'Failed',
  startTime: Date,
): StoredDocument {
  const endTime = new Date(startTime.getTime() + MINUTE_MS);
  const queued = queuedBackup(id, { clusterId, storage: { local: { path: '/nowhere' } }, at: startTime });
  const reason = state === 'Failed' ? { code: 'BR_FAILED', message: 'br ended with an error.' } : null;
  return {
    ...queued,
    state,
    activeKey: queued.slotKey,
    fence: 1,
    task: null,
    progress: { step: 'Checksum', percent: 100, speed: '120 MB/s' },
    result:
      state === 'Succeeded'
        ? {
            tso: '450000000000000001',
            sizeBytes: 1_234_567_890,
            files: 42,
            tidbClusterId: '7300000000000000001',
            clusterVersion: '8.5.0',
          }
        : null,
    reason,
    failures: state === 'Failed' ? 1 : 0,
    attempts: [
      {
        claim: 'bench-claim-of-this-attempt',
        fence: 1,
        path: queued.path,
        worker: 'bench-worker',
        mayRun: true,
        startedAt: startTime,
        endedAt: endTime,
        outcome: state === 'Succeeded' ? 'succeeded' : 'failed',
        ...(reason && { reason }),
        argv: ['br', 'backup', 'full', '--pd', '127.0.0.1:2379', '--storage', `local:///nowhere/${queued.path}`],
        brVersion: '8.5.0',
        hasLock: true,
      },
    ],
    endTime,
    updateTime: endTime,
    revision: 9,
  };
}
