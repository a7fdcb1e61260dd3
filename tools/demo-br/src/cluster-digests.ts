import { createHash } from 'node:crypto';
import type { DemoCluster } from './demo-cluster.ts';
import { isSystemDatabase, TEMPORARY_PREFIX } from './schemas.ts';
import { fullName, tableText } from './table.ts';
import { tsoAt } from './tso.ts';
import { lastRowOf } from './writes.ts';

/** What a user table holds. */
export interface TableDigest {
  readonly rows: number;
  /** SHA-256 of its columns and all its rows, in hex: two tables with the same hold the same. */
  readonly digest: string;
  /** Of rows that a cluster wrote by itself, the number of the last one; -1 if there is none. */
  readonly lastRow: number;
}

/**
 * What a cluster holds in its user tables, by `db.table`: as of a TSO in the one that it writes by itself, as they are now in
 * the others, which have no history.
 *
 * @param at by default now
 */
export async function clusterDigests(
  cluster: DemoCluster,
  at: bigint = tsoAt(Date.now()),
): Promise<Record<string, TableDigest>> {
  const digests: Record<string, TableDigest> = {};
  for (const db of await cluster.databases()) {
    if (isSystemDatabase(db) || db.startsWith(TEMPORARY_PREFIX)) continue;
    for (const table of await cluster.tables(db)) {
      const content = await cluster.readTable({ db, table }, at);
      if (content === undefined) continue;
      const digest = createHash('sha256').update(tableText(content)).digest('hex');
      digests[fullName({ db, table })] = { rows: content.rows.size, digest, lastRow: lastRowOf(content) };
    }
  }
  return digests;
}
