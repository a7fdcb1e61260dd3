/**
 * Ends what an earlier stack left behind when it was killed.
 *
 * 1. Only a process whose pid *and* start time are recorded below the data folder is touched, never another one
 *    that was given the same pid since.
 * 2. Only while the data folder's lock is held: the records of a living stack are never swept.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { untilGroupGone } from '@tidemark/processes/group';
import { isAlive } from '@tidemark/processes/identity';
import { LINGER } from './child.ts';
import { type RunRecord, readRunRecords, removeRunRecord } from './run-record.ts';

const GRACE_MS = 5_000;

/**
 * Ends every recorded process that still runs, and forgets all records.
 *
 * @returns the names of the processes that were still there
 */
export async function sweep(dataDir: string): Promise<string[]> {
  const records = readRunRecords(dataDir);
  const leftovers = records.filter(isAlive);
  await Promise.all(leftovers.map(end));
  for (const { name, pid } of records) removeRunRecord(dataDir, name, pid);
  return leftovers.map(({ name }) => name);
}

async function end(record: RunRecord): Promise<void> {
  signal(record, 'SIGTERM');
  const killAt = performance.now() + GRACE_MS;
  while (isAlive(record) && performance.now() < killAt) await sleep(50);
  signal(record, 'SIGKILL');
  // It led its own group, and a pid is not given to anybody else while its group lives.
  await untilGroupGone(record.pid, LINGER);
}

function signal(record: RunRecord, name: NodeJS.Signals): void {
  try {
    if (isAlive(record)) process.kill(record.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
