/**
 * Which `br log truncate` ran on this host, for the lock that a killed one leaves in the storage of its log: `br` never removes it, and
 * cannot tell whose it is.
 *
 * R1. A lock is this host's own only where its run is on record here, with its pid, and was begun before the lock was made.
 * R2. It is removed only when that process is gone. Any other lock may be somebody's who is at work.
 */
import { createHash } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MAX_RUN_RECORD_BYTES } from '@tidemark/limits/limits';
import { processStart } from '@tidemark/processes/identity';
import { readFileWithin } from '@tidemark/service-kit/bounded-read';
import type { ProcessName } from '../br/process.ts';
import { isAlive, isName } from '../run-records.ts';

/** What `truncating.lock` says. */
export interface TruncateLock {
  readonly host: string;
  readonly pid: number;
  readonly at: Date;
}

export type LockOwner =
  /** A run of this host that is over. */
  | 'dead'
  /** A run of this host. */
  | 'alive'
  | 'another';

/** Runs on a log, by where it lies. */
export interface TruncationRecords {
  write(url: string, pid: number): Promise<void>;
  remove(url: string): Promise<void>;
  ownerOf(url: string, lock: TruncateLock): Promise<LockOwner>;
}

interface TruncationRecord {
  readonly url: string;
  readonly host: string;
  readonly br: ProcessName;
  /** When it was begun, in milliseconds. */
  readonly begunAt: number;
}

/** A lock says when it was made to the second, or finer. */
const PRECISION_MS = 1_000;

/** Records below a folder that the workers of a host may share. */
export function truncationRecords(stateDir: string): TruncationRecords {
  const folder = join(stateDir, 'truncations');
  const fileOf = (url: string) => join(folder, `${createHash('sha256').update(url).digest('hex')}.json`);
  return {
    async write(url, pid) {
      const br = { pid, start: processStart(pid) ?? '' };
      const record: TruncationRecord = { url, host: hostname(), br, begunAt: Date.now() };
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = fileOf(url);
      await writeFile(`${file}.tmp`, JSON.stringify(record), { mode: 0o600 });
      await rename(`${file}.tmp`, file);
    },
    remove: (url) => rm(fileOf(url), { force: true }),
    async ownerOf(url, lock) {
      const record = await read(fileOf(url));
      if (!record || record.url !== url) return 'another';
      if (lock.host !== record.host || record.host !== hostname() || lock.pid !== record.br.pid) return 'another';
      if (lock.at.getTime() + PRECISION_MS < record.begunAt - LATE_MS) return 'another';
      return isAlive(record.br) ? 'alive' : 'dead';
    },
  };
}

/** A run is on record a moment after it began. */
const LATE_MS = 30_000;

async function read(file: string): Promise<TruncationRecord | undefined> {
  try {
    const record = JSON.parse((await readFileWithin(file, MAX_RUN_RECORD_BYTES)).toString('utf8')) as
      | Partial<TruncationRecord>
      | undefined;
    const { url, host, br, begunAt } = { ...record };
    const isOne = typeof url === 'string' && typeof host === 'string' && typeof begunAt === 'number' && isName(br);
    return isOne ? (record as TruncationRecord) : undefined;
  } catch {
    return undefined; // nothing ran, or nobody knows what
  }
}

/** What the file says; undefined where it is no lock that is known. */
export function parseLock(text: string): TruncateLock | undefined {
  try {
    const { locked_at, locker_host, locker_pid } = JSON.parse(text) as Record<string, unknown>;
    const at = new Date(String(locked_at));
    if (typeof locker_host !== 'string' || !Number.isInteger(locker_pid) || Number.isNaN(at.getTime()))
      return undefined;
    return { host: locker_host, pid: Number(locker_pid), at };
  } catch {
    return undefined;
  }
}
