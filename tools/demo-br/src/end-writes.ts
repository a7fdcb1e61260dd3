import type { DemoCluster } from './demo-cluster.ts';
import { tsoAt } from './tso.ts';
import { inOrder, writtenChanges } from './writes.ts';

/**
 * Ends what a cluster writes by itself: the rows of this instant stay in the table, and those that its log lacks are put down
 * for it. To be called by who holds the cluster (C3).
 */
export async function endWrites(cluster: DemoCluster): Promise<void> {
  const { writes, logTask } = await cluster.readState();
  if (!writes) return;
  const now = tsoAt(Date.now());
  const table = await cluster.readTable(writes, now);
  const missing = logTask ? writtenChanges(writes, BigInt(logTask.checkpoint), now) : [];
  if (table) await cluster.writeTable(writes, table);
  await cluster.changeState(({ logChanges }) => ({ writes: null, logChanges: inOrder([...logChanges, ...missing]) }));
}
