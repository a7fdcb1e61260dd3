import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify, type ProcessIdentity, parseIdentity } from '@tidemark/processes/identity';

/** One process that a stack started, as `<data>/run/<name>.json` shows it to whoever comes after a crash. */
export interface RunRecord extends ProcessIdentity {
  readonly name: string;
}

/** The folder of the records below a data folder. */
export function runFolder(dataDir: string): string {
  return join(dataDir, 'run');
}

/**
 * Records a process that was just spawned as the leader of its own process group. Synchronous, so that
 * nothing can come between the spawn and its record but the death of this very process.
 */
export function writeRunRecord(dataDir: string, name: string, pid: number): void {
  const identity = identify(pid);
  if (identity === undefined) return;
  mkdirSync(runFolder(dataDir), { recursive: true, mode: 0o700 });
  writeFileSync(recordPath(dataDir, name), `${JSON.stringify({ name, ...identity })}\n`, { mode: 0o600 });
}

/** Forgets a process whose group is gone; a younger process of the same name stays recorded. */
export function removeRunRecord(dataDir: string, name: string, pid: number): void {
  if (parseIdentity(readText(recordPath(dataDir, name)))?.pid !== pid) return;
  rmSync(recordPath(dataDir, name), { force: true });
}

/** Every record below a data folder; files that are no records are left out. */
export function readRunRecords(dataDir: string): RunRecord[] {
  return listFolder(runFolder(dataDir))
    .filter((file) => file.endsWith('.json'))
    .flatMap((file) => {
      const name = file.slice(0, -'.json'.length);
      const identity = parseIdentity(readText(recordPath(dataDir, name)));
      return identity === undefined ? [] : [{ name, ...identity }];
    });
}

function recordPath(dataDir: string, name: string): string {
  return join(runFolder(dataDir), `${name}.json`);
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
