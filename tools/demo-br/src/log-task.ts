/** The log backup task of a demo cluster: what PD's etcd would keep of it, and how TiKV carries it on. */
import type { DemoCluster } from './demo-cluster.ts';
import type { Dialect } from './dialect.ts';
import type { LogTask, RowChange } from './log-state.ts';
import { openLogStorage } from './log-storage.ts';
import { tsoAt, tsoMillis } from './tso.ts';
import { inOrder, writtenChanges } from './writes.ts';

// G1. The log of a cluster is carried on by whoever looks at it: the demo cluster has no process of its own.
// G2. What was changed lies in the cluster until it was written to the storage; then the checkpoint moves.
// G3. The storage is asked with the keys of whoever looks, since nothing secret is kept in the cluster.

/** How far behind now the checkpoint of a task stays that runs. */
export interface Advance {
  readonly lagSeconds: number;
  readonly dialect: Dialect;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Writes to the storage what was changed, and moves the checkpoint; to be called by who holds the cluster (C3). */
export async function advance(cluster: DemoCluster, { lagSeconds, dialect, env }: Advance): Promise<void> {
  const { logTask, logChanges, writes } = await cluster.readState();
  if (logTask?.state !== 'NORMAL' || logTask.standsStill) return;
  const until = tsoAt(Date.now() - lagSeconds * 1_000);
  if (until <= BigInt(logTask.checkpoint)) return;
  const written = writes ? writtenChanges(writes, BigInt(logTask.checkpoint), until) : [];
  const due = inOrder([...logChanges.filter(({ ts }) => BigInt(ts) <= until), ...written]);
  try {
    const storage = await openLogStorage(logTask.storage, logTask.flags, dialect, env);
    await storage.append(due, until);
  } catch (error) {
    const message = (error as Error).message;
    const failed = { ...logTask, state: 'ERROR', severity: 'ERROR' } as const;
    const errors = [{ store: 1, code: 'KV:LogBackup:Io', message }];
    await cluster.changeState(() => ({ logTask: { ...failed, errors, keptUntil: Date.now() + HELD_MS } }));
    return;
  }
  await cluster.changeState(({ logChanges: changes }) => ({
    logTask: { ...logTask, checkpoint: String(until) },
    logChanges: changes.filter(({ ts }) => BigInt(ts) > until),
  }));
}

/** How long history is kept for a task that TiKV gave up. */
const HELD_MS = 86_400_000;

/** Puts a change of a row down, where a task is there whose log is to hold it; to be called by who holds the cluster (C3). */
export async function noteChange(cluster: DemoCluster, change: Omit<RowChange, 'ts'>): Promise<void> {
  const { logTask } = await cluster.readState();
  if (!logTask) return;
  await cluster.changeState(({ logChanges }) => {
    const now = tsoAt(Date.now());
    // Later than what is on record, and than what the log promises to hold already.
    const [last = 0n] = [logTask.checkpoint, logChanges.at(-1)?.ts ?? '0']
      .map(BigInt)
      .toSorted((a, b) => Number(b - a));
    return { logChanges: [...logChanges, { ...change, ts: String(now > last ? now : last + 1n) }] };
  });
}

/** Whether the history from the checkpoint of a paused task on is gone. */
export function isHistoryGone({ state, keptUntil }: LogTask): boolean {
  return state !== 'NORMAL' && keptUntil < Date.now();
}

/** The instant of a TSO as BR prints it. */
export function dateOf(tso: bigint): string {
  return `${new Date(tsoMillis(tso)).toISOString().replace('T', ' ').replace('Z', '')} +0000`;
}
