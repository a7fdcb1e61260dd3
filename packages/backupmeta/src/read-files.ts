/**
 * Reads the files of a backup that is verified (verify-content.ts, V1 to V4): some at a time, piece by piece, from the place that was reached
 * before.
 */
import { createHash, hash } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { DEFAULT_METADATA_BYTES, MAX_VERIFY_PROBLEMS } from '@tidemark/limits/limits';
import { backoffMs, sleep } from '@tidemark/service-kit/backoff';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import { metadataLimit } from './backupmeta.ts';
import type { ListedFile } from './catalogue.ts';
import type { Problem, Progress, Standing } from './content-report.ts';
import type { Decrypt } from './crypter.ts';
import type { FileTable } from './file-table.ts';
import { createPace } from './pace.ts';

const FILES_AT_ONCE = 4;
const TRIES = 4;
const PAUSE = { baseMs: 250, maxMs: 5_000 };

/** Which files are read, and from where. */
export interface Reading {
  readonly files: BackupFiles;
  readonly walk: () => AsyncIterable<ListedFile>;
  /** All of them, none met yet. */
  readonly all: FileTable;
  readonly isRead: (file: ListedFile) => boolean;
  readonly decrypt: Decrypt;
  readonly from: Standing;
  readonly bytesInAll: number;
  readonly signal: AbortSignal;
}

export interface ReadingOptions {
  /** How fast all files together are read; as fast as can be when left out. */
  readonly bytesPerSecond?: number | undefined;
  readonly filesAtOnce?: number;
  /** Hears of each file, and of each piece of it. */
  readonly onProgress?: (progress: Progress) => void;
}

/** What came of one file. */
interface Judged {
  readonly bytes: number;
  readonly problem: Problem | undefined;
}

/** Reads files, some at a time, and keeps what was found in their order. */
export async function readFiles(
  { files, walk, all, isRead, decrypt, from, bytesInAll, signal }: Reading,
  { bytesPerSecond, filesAtOnce = FILES_AT_ONCE, onProgress }: ReadingOptions,
): Promise<Standing> {
  const pace = createPace(bytesPerSecond);
  let standing = from;
  let bytesRead = from.bytes;
  const tell = () => onProgress?.({ standing, bytesRead, bytesInAll });
  /** What was found of files behind the standing, by place; undefined for one that is not read. */
  const done = new Map<number, Judged | undefined>();
  const note = (place: number, judged: Judged | undefined) => {
    done.set(place, judged);
    while (done.has(standing.next)) {
      const first = done.get(standing.next);
      done.delete(standing.next);
      standing = advance(standing, first);
    }
    tell();
  };

  const ending = new AbortController();
  const stop = AbortSignal.any([signal, ending.signal]);
  let place = -1;
  const listed = walk()[Symbol.asyncIterator]();
  const work = async () => {
    for (;;) {
      const { value: file, done: isOver } = await listed.next();
      if (isOver) return;
      place += 1;
      const mine = place;
      if (mine < from.next) {
        all.meet(file.name);
        continue;
      }
      if (!isRead(file) || !all.meet(file.name)) {
        note(mine, undefined);
        continue;
      }
      const meter: Meter = {
        add(bytes) {
          bytesRead += bytes;
          tell();
          return pace(bytes, stop);
        },
        takeBack(bytes) {
          bytesRead -= bytes;
        },
      };
      note(mine, await judge(file, { files, decrypt, meter, signal: stop }));
    }
  };
  const workers = Array.from({ length: filesAtOnce }, () =>
    work().catch((error: unknown) => {
      // Nobody goes on when one is in trouble.
      ending.abort(error);
      throw error;
    }),
  );
  for (const result of await Promise.allSettled(workers)) if (result.status === 'rejected') throw ending.signal.reason;
  const meter: Meter = { add: (bytes) => pace(bytes, signal), takeBack: () => undefined };
  return lookAgain(standing, walk, { files, decrypt, meter, signal });
}

/**
 * Looks once more for the files that were missing, of which an earlier try may have told: what is there by now was only away, and is judged by
 * what it holds.
 *
 * @throws AppError `unavailable` where there were more of them than are named
 */
async function lookAgain(standing: Standing, walk: Reading['walk'], judging: Judging): Promise<Standing> {
  const { problems, problemCount } = standing;
  const missing = new Set(problems.filter(({ kind }) => kind === 'missing').map(({ name }) => name));
  if (missing.size === 0) return standing;
  const back = new Map<string, Judged>();
  for await (const file of walk()) {
    if (!missing.delete(file.name)) continue;
    const judged = await judge(file, judging);
    if (judged.problem?.kind !== 'missing') back.set(file.name, judged);
  }
  const [first] = back.keys();
  if (first === undefined) return standing;
  if (problemCount > problems.length)
    throw new AppError('unavailable', `The backup changed while it was verified: ${first} was missing, and is there.`);
  const left = problems.flatMap((problem) => {
    const judged = back.get(problem.name);
    return judged ? (judged.problem ?? []) : problem;
  });
  const bytes = [...back.values()].reduce((sum, judged) => sum + judged.bytes, standing.bytes);
  return { ...standing, bytes, problems: left, problemCount: left.length };
}

function advance(standing: Standing, judged: Judged | undefined): Standing {
  const next = standing.next + 1;
  if (!judged) return { ...standing, next };
  const { problem, bytes } = judged;
  const isKept = problem !== undefined && standing.problems.length < MAX_VERIFY_PROBLEMS;
  return {
    next,
    files: standing.files + 1,
    bytes: standing.bytes + bytes,
    problems: isKept ? [...standing.problems, problem] : standing.problems,
    problemCount: standing.problemCount + (problem ? 1 : 0),
  };
}

/** Counts what is read, and holds it up where it is too fast. */
interface Meter {
  add(bytes: number): Promise<void>;
  /** What is read once more. */
  takeBack(bytes: number): void;
}

interface Judging {
  readonly files: BackupFiles;
  readonly decrypt: Decrypt;
  readonly meter: Meter;
  readonly signal: AbortSignal;
}

/** Reads a file whole, again where that was interrupted, and says whether it is what was written. */
async function judge(file: ListedFile, judging: Judging): Promise<Judged> {
  const { name } = file;
  try {
    const read = await patiently(judging.signal, () => readOnce(file, judging));
    if (!read) return { bytes: 0, problem: { kind: 'missing', name, why: `${name} is missing` } };
    return { bytes: read.bytes, problem: problemOf(file, read) };
  } catch (error) {
    const why = whyUnreadable(error);
    if (why === undefined) throw error;
    return { bytes: 0, problem: { kind: 'unreadable', name, why } };
  }
}

async function readOnce(
  { kind, name, cipherIv }: ListedFile,
  { files, decrypt, meter, signal }: Judging,
): Promise<{ readonly bytes: number; readonly sha256: Buffer } | undefined> {
  if (kind === 'statistics') {
    const content = await files.read(name, signal, metadataLimit(DEFAULT_METADATA_BYTES));
    if (!content) return undefined;
    await meter.add(content.length);
    return { bytes: content.length, sha256: hash('sha256', decrypt(content, cipherIv), 'buffer') };
  }
  const digest = createHash('sha256');
  let bytes = 0;
  try {
    const isThere = await files.stream(name, signal, async (piece) => {
      digest.update(piece);
      bytes += piece.length;
      await meter.add(piece.length);
    });
    return isThere ? { bytes, sha256: digest.digest() } : undefined;
  } catch (error) {
    meter.takeBack(bytes);
    throw error;
  }
}

function problemOf(
  { kind, name, bytes: expected, sha256 }: ListedFile,
  read: { readonly bytes: number; readonly sha256: Buffer },
): Problem | undefined {
  const found = read.sha256.toString('hex');
  if (expected !== 0n && BigInt(read.bytes) !== expected)
    return { kind: 'size', name, why: `${name} has ${read.bytes} bytes instead of ${expected}`, found };
  if (sha256.length === 0)
    return { kind: 'unreadable', name, why: `${name} could not be verified: the catalogue names no hash of it` };
  if (read.sha256.equals(sha256)) return undefined;
  const why =
    kind === 'statistics'
      ? `${name} is damaged, or its key is another one: it does not have the hash that the catalogue names`
      : `${name} is damaged: it has the right size, and is not what TiKV wrote`;
  return { kind: 'content', name, why, found };
}

/** Once `backupmeta` was read, the storage itself was reached: what cannot be used is the one file. */
export function whyUnreadable(error: unknown): string | undefined {
  return error instanceof AppError && error.code === 'storage_unusable' ? error.message.replace(/\.$/, '') : undefined;
}

/** Does what may meet a storage that is out of reach for a moment. */
export async function patiently<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await act();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AppError && error.code === 'unavailable') || attempt === TRIES) throw error;
      await sleep(backoffMs(attempt, PAUSE), signal);
    }
  }
}
