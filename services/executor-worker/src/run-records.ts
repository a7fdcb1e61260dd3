/**
 * What runs, or ran, on this host: a file for each `br`, from before its start until backup-service has answered how it
 * ended. A worker that starts finds in them what an earlier one left behind.
 *
 * R1. An orphan is killed only if its recorded worker is dead and its pid and start time are those recorded.
 * R2. A record is removed only once its end, or its stray path, was answered.
 */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_RUN_RECORD_BYTES } from '@tidemark/limits/limits';
import { signalGroup, untilGroupGone } from '@tidemark/processes/group';
import { processStart } from '@tidemark/processes/identity';
import { readFileWithin } from '@tidemark/service-kit/bounded-read';
import type { ProcessName } from './br/process.ts';
import { orphanKilled } from './events.ts';
import { log } from './logger.ts';

/** A run under a claim. */
export interface RunRecord {
  readonly backupId: string;
  readonly claim: string;
  readonly fence: number;
  readonly path: string;
  readonly worker: ProcessName;
  /** The process group of `br`, which its guard leads; absent where no guard could be started. */
  readonly group: ProcessName | undefined;
}

export interface RunRecords {
  /** A folder for one run's temporary files; goes with its record. */
  temporaryFolder(claim: string): Promise<string>;
  write(record: Omit<RunRecord, 'worker'>): Promise<void>;
  remove(claim: string): Promise<void>;
  /** Kills what dead workers of this host left running, and returns the runs whose end was never reported. */
  sweep(): Promise<RunRecord[]>;
}

/** Records below a folder that the workers of a host may share. */
export async function openRunRecords(stateDir: string): Promise<RunRecords> {
  const folder = join(stateDir, 'runs');
  const temporary = join(stateDir, 'tmp');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  const worker = { pid: process.pid, start: processStart(process.pid) ?? '' };
  const fileOf = (claim: string) => join(folder, `${claim}.json`);

  const read = async (file: string): Promise<RunRecord | undefined> => {
    try {
      const content = await readFileWithin(join(folder, file), MAX_RUN_RECORD_BYTES);
      const record = JSON.parse(content.toString('utf8')) as unknown;
      if (!isRunRecord(record)) throw new Error('it is no record of a run');
      return record;
    } catch (error) {
      log.warn({ error, file }, 'a run record cannot be read and is left alone');
      return undefined;
    }
  };

  return {
    async temporaryFolder(claim) {
      const path = join(temporary, claim);
      await mkdir(path, { recursive: true, mode: 0o700 });
      return path;
    },
    async write(record) {
      const file = fileOf(record.claim);
      await writeFile(`${file}.tmp`, JSON.stringify({ ...record, worker } satisfies RunRecord), { mode: 0o600 });
      await rename(`${file}.tmp`, file);
    },
    async remove(claim) {
      await rm(join(temporary, claim), { recursive: true, force: true });
      await rm(fileOf(claim), { force: true });
    },
    async sweep() {
      const left: RunRecord[] = [];
      for (const file of await readdir(folder)) {
        if (!file.endsWith('.json')) continue;
        const record = await read(file);
        if (!record || isAlive(record.worker)) continue;
        if (record.group) await killOrphan(record.backupId, record.group);
        left.push(record);
      }
      return left;
    },
  };
}

function isRunRecord(read: unknown): read is RunRecord {
  const { backupId, claim, fence, path, worker, group } = { ...(read as Partial<RunRecord> | null) };
  const texts = [backupId, claim, path].every((text) => typeof text === 'string');
  return texts && typeof fence === 'number' && isName(worker) && (group === undefined || isName(group));
}

/** Whether what was read from a file names a process. */
export function isName(name: ProcessName | undefined): boolean {
  return typeof name?.pid === 'number' && typeof name.start === 'string';
}

/** Whether the process that was recorded is still the one that has its pid. */
export function isAlive({ pid, start }: ProcessName): boolean {
  return processStart(pid) === start;
}

async function killOrphan(backupId: string, group: ProcessName): Promise<void> {
  if (!isAlive(group)) return;
  signalGroup(group.pid, 'SIGKILL');
  orphanKilled({ backupId, group: group.pid });
  await untilGroupGone(group.pid, { killAfterMs: 0 });
}
