import { cpus, totalmem } from 'node:os';
import type { MongoClient } from 'mongodb';
import type { Machine } from './report.ts';

/** What the figures of this run depend on. */
export async function describeMachine(client: MongoClient): Promise<Machine> {
  const all = cpus();
  return {
    node: process.version,
    cpu: all[0]?.model.trim() ?? 'unknown',
    cpus: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    database: await nameDatabase(client),
  };
}

/** Others speak MongoDB's protocol too, and give their own version in a field beside the one that they pretend. */
async function nameDatabase(client: MongoClient): Promise<string> {
  return databaseName(await client.db('admin').command({ buildInfo: 1 }));
}

/** Name and version of a database by what it answers to `buildInfo`. */
export function databaseName(buildInfo: Readonly<Record<string, unknown>>): string {
  const mongodb = `MongoDB ${buildInfo.version}`;
  const { secantusVersion, ferretdb } = buildInfo;
  if (typeof secantusVersion === 'string') return `SecantusDB ${secantusVersion} (as ${mongodb})`;
  if (ferretdb) return `FerretDB ${(ferretdb as { version?: string }).version ?? ''} (as ${mongodb})`;
  return mongodb;
}
