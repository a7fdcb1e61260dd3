/**
 * Restores that run, or ran, on this host: a folder for each `br`, from before its start until backup-service has answered
 * how it ended. It holds what is known of the run, what `br` prints, and how it ended, in the guard's words.
 *
 * D1. A folder appears with its record or not at all, and is on disk before `br` is started.
 * D2. An orphan is killed only if its recorded worker is dead and its pid and start time are those recorded; its guard has time to
 *     end it and to write down how, first.
 * D3. A folder is removed only once the end of its run was answered.
 * D4. A folder that cannot be read hinders no other one.
 */
import { closeSync, openSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_RUN_OUTPUT_BYTES, MAX_RUN_RECORD_BYTES } from '@tidemark/limits/limits';
import { untilGroupGone } from '@tidemark/processes/group';
import { processStart } from '@tidemark/processes/identity';
import { readFileWithin } from '@tidemark/service-kit/bounded-read';
import type { BrExit, ProcessName } from '../br/process.ts';
import { orphanKilled } from '../events.ts';
import { log } from '../logger.ts';
import { isAlive, isName } from '../run-records.ts';
import { endOfRestore, type RestoreEnd, type RestoreFacts } from './end.ts';
import { readLeftFile } from './follow-file.ts';
import { createRestoreOutputReader } from './output.ts';

/** A run of a restore under a claim. */
export interface RestoreRun {
  readonly restoreId: string;
  readonly claim: string;
  readonly fence: number;
  readonly worker: ProcessName;
  /** The process group of `br`, which its guard leads; absent where no guard could be started. */
  readonly group: ProcessName | undefined;
  /** What its end is judged by. */
  readonly facts: Omit<RestoreFacts, 'started' | 'stoppedFor'>;
}

/** The folder of a run. */
export interface RunFolder {
  readonly path: string;
  /** For temporary files of `br`. */
  readonly temporary: string;
  /** Notes that something of the output is gone unread, so that it proves nothing to whoever reads the rest. */
  noteCut(): void;
}

/** A run whose worker ended before its end was answered. */
export interface LeftRun {
  readonly run: RestoreRun;
  /** Undefined where nobody knows. */
  readonly end: RestoreEnd | undefined;
}

export interface RunFolders {
  create(run: Omit<RestoreRun, 'worker'>): Promise<{ readonly folder: RunFolder; readonly run: RestoreRun }>;
  remove(claim: string): Promise<void>;
  /** Ends what dead workers of this host left running, and returns the runs whose end was never answered. */
  sweep(): Promise<LeftRun[]>;
}

const RECORD = 'run.json';
const CUT = 'cut';
const UNFINISHED = '.new-';
/** How long a guard may take beyond its KILL to write down how `br` ended. */
const WRITE_MS = 5_000;

/**
 * Folders below one that the workers of a host may share.
 *
 * @param killMs from a guard's TERM to its KILL
 */
export async function openRunFolders(stateDir: string, { killMs }: { readonly killMs: number }): Promise<RunFolders> {
  const root = join(stateDir, 'restores');
  await mkdir(root, { recursive: true, mode: 0o700 });
  const worker = { pid: process.pid, start: processStart(process.pid) ?? '' };

  return {
    async create(begun) {
      const run: RestoreRun = { ...begun, worker };
      const path = join(root, run.claim);
      const unfinished = join(root, `${UNFINISHED}${process.pid}-${run.claim}`);
      await mkdir(join(unfinished, 'tmp'), { recursive: true, mode: 0o700 });
      for (const file of ['stdout', 'stderr']) await writeFile(join(unfinished, file), '', { mode: 0o600 });
      await writeFile(join(unfinished, RECORD), JSON.stringify(run), { mode: 0o600, flush: true });
      await sync(unfinished);
      await rename(unfinished, path);
      await sync(root);
      const noteCut = () => closeSync(openSync(join(path, CUT), 'a', 0o600));
      return { folder: { path, temporary: join(path, 'tmp'), noteCut }, run };
    },
    remove: (claim) => rm(join(root, claim), { recursive: true, force: true }),
    async sweep() {
      const names = await readdir(root);
      await Promise.all(
        names.filter((name) => name.startsWith(UNFINISHED)).map((name) => removeUnfinished(root, name)),
      );
      const found = await Promise.all(
        names
          .filter((name) => !name.startsWith(UNFINISHED))
          .map(async (name) => {
            const run = await readRecord(join(root, name), name);
            if (!run || isAlive(run.worker)) return undefined;
            return { path: join(root, name), run, killed: await endOrphan(run, killMs) };
          }),
      );
      const left: LeftRun[] = [];
      for (const one of found) if (one) left.push({ run: one.run, end: await readEnd(one) });
      return left;
    },
  };
}

/** What a guard wrote down of the end of its `br`. */
export type GuardEnd = { readonly started: false } | { readonly started: true; readonly exit: BrExit };

/** Undefined where it wrote nothing: it was killed, or the host went down. */
export async function readGuardEnd(folder: string): Promise<GuardEnd | undefined> {
  const read = await readJson(join(folder, 'exit.json'));
  if (!read) return undefined;
  if (typeof read.notStarted === 'string') return { started: false };
  const { exit, signal, ending } = read;
  if (typeof exit !== 'number' && typeof signal !== 'string') return undefined;
  return {
    started: true,
    exit: {
      code: typeof exit === 'number' ? exit : undefined,
      signal: typeof signal === 'string' ? signal : undefined,
      silenced: typeof ending === 'string',
      error: undefined,
    },
  };
}

interface FoundRun {
  readonly path: string;
  readonly run: RestoreRun;
  /** Whether this sweep found it running and killed it. */
  readonly killed: boolean;
}

const SILENCED: BrExit = { code: undefined, signal: undefined, silenced: true, error: undefined };

/** How a run ended of which no worker is left, from what lies in its folder. */
async function readEnd({ path, run, killed }: FoundRun): Promise<RestoreEnd | undefined> {
  const { facts } = run;
  const written = await readGuardEnd(path);
  const reader = createRestoreOutputReader(() => undefined);
  const read = (file: string, onChunk: (chunk: Buffer) => void) =>
    readLeftFile({ path: join(path, file), onChunk, onCut: reader.cut, maxBytes: MAX_RUN_OUTPUT_BYTES });
  if (await exists(join(path, CUT))) reader.cut();
  await read('stdout', reader.stdout);
  await read('stderr', reader.stderr);
  const started = written?.started ?? true;
  const exit = written?.started ? written.exit : SILENCED;
  const end = withoutDetail(endOfRestore(exit, reader.result(), { ...facts, started, stoppedFor: undefined }));
  // Where nobody saw the end, only wrong rows are believed: they stay wrong.
  return written || killed || end.kind === 'dirty' ? end : undefined;
}

/** Here nobody knows any more which words were secrets. */
function withoutDetail(end: RestoreEnd): RestoreEnd {
  return { ...end, reason: end.reason && { ...end.reason, detail: '' } };
}

/** Waits for a guard that has no worker any more, and kills what does not go. Answers whether it had to. */
async function endOrphan({ restoreId, group }: RestoreRun, killMs: number): Promise<boolean> {
  if (!group || !isAlive(group)) return false;
  const patience = { killAfterMs: Number.POSITIVE_INFINITY, giveUpAfterMs: killMs + WRITE_MS };
  if (await untilGroupGone(group.pid, patience)) return false;
  if (!isAlive(group)) return false;
  orphanKilled({ restoreId, group: group.pid });
  await untilGroupGone(group.pid, { killAfterMs: 0 });
  return true;
}

async function removeUnfinished(root: string, name: string): Promise<void> {
  const pid = Number(/^\.new-(\d+)-/.exec(name)?.[1]);
  if (processStart(pid) === undefined) await rm(join(root, name), { recursive: true, force: true });
}

async function readRecord(folder: string, claim: string): Promise<RestoreRun | undefined> {
  const read = await readJson(join(folder, RECORD));
  if (isRun(read) && read.claim === claim) return read;
  if (read !== undefined || (await exists(folder)))
    log.warn({ folder }, 'a folder of a restore cannot be read and is left alone');
  return undefined;
}

function isRun(read: unknown): read is RestoreRun {
  const { restoreId, claim, fence, worker, group, facts } = { ...(read as Partial<RestoreRun> | undefined) };
  const { brVersion, tso, point = '', chosen = '', wasPartial, failures, waits } = { ...facts };
  return (
    [restoreId, claim, brVersion, tso, point, chosen].every((text) => typeof text === 'string') &&
    [fence, failures, waits].every((number) => typeof number === 'number') &&
    typeof wasPartial === 'boolean' &&
    isName(worker) &&
    (group === undefined || isName(group))
  );
}

/** Undefined where it cannot be read, or is no object. */
async function readJson(file: string): Promise<Record<string, unknown> | undefined> {
  try {
    const read = JSON.parse((await readFileWithin(file, MAX_RUN_RECORD_BYTES)).toString('utf8')) as unknown;
    return typeof read === 'object' && read !== null ? (read as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await using _ = await open(path, 'r');
    return true;
  } catch {
    return false;
  }
}

/** Brings the names in a folder to disk. */
async function sync(folder: string): Promise<void> {
  await using there = await open(folder, 'r');
  await there.sync();
}
