/**
 * Verifies a backup in its storage, without a cluster: its catalogue, and every byte that TiKV wrote.
 *
 * V1. A file is judged once: by its content where it is read, else by a list of the storage.
 * V2. Files are read some at a time and piece by piece; what is kept of them does not grow with their number or size.
 * V3. A standing says all that was found of the files before its place, and nothing of those behind it: whoever goes on
 *     from it ends with the same report.
 * V4. A file that is damaged is noted, and the others are verified all the same. A storage that cannot be reached says
 *     nothing against the backup: it ends the verification, which can go on later.
 */
import { createHash, hash } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { DEFAULT_METADATA_BYTES, MAX_VERIFY_PROBLEMS } from '@tidemark/limits/limits';
import type { BackupMeta } from '@tidemark/protocol/br/backup';
import type { BackupResult } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { backoffMs, sleep } from '@tidemark/service-kit/backoff';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import type { ReadLimit } from '@tidemark/storage/read-limit';
import { BACKUPMETA, compareWithList, metadataLimit, readMeta, resultOf } from './backupmeta.ts';
import { type ListedFile, walkCatalogue } from './catalogue.ts';
import { type Decrypt, PLAIN } from './crypter.ts';
import { type BackupDescription, toDescription } from './description.ts';
import { createFileTable, type FileTable } from './file-table.ts';
import { createPace } from './pace.ts';
import { type Seal, sealOf } from './seal.ts';
import type { SignatureFinding, SignatureState } from './signature.ts';

/** `meta`: the catalogue is unharmed, and all files are there; `bytes`: besides, each file is what TiKV wrote. */
export type VerifyLevel = 'meta' | 'bytes';

/** What is wrong with a file. */
export interface Problem {
  /**
   * `missing`, `size`, `content` (other bytes than were written), `swapped` (it holds what another file of the backup should
   * hold), `key` (it is unharmed, and its key is another one), `unreadable` (it could not be verified), `tampered` (a whole
   * catalogue, which is not the one that was signed), and of the manifest `unsigned`, `unknownKey` and `signature` (a wrong one)
   */
  readonly kind:
    | 'missing'
    | 'size'
    | 'content'
    | 'swapped'
    | 'key'
    | 'unreadable'
    | 'tampered'
    | SignatureFinding['kind'];
  readonly name: string;
  /** A sentence without its full stop. */
  readonly why: string;
  /** The hash of what was found in place of a file, in hexadecimal digits. */
  readonly found?: string;
}

/** How far a verification got. */
export interface Standing {
  /** The place of the next file, counted from 0 in the order of the catalogue. */
  readonly next: number;
  /** Files that were read whole. */
  readonly files: number;
  /** Bytes of them. */
  readonly bytes: number;
  /** The first ones of what is wrong with them. */
  readonly problems: readonly Problem[];
  /** How many are wrong in all. */
  readonly problemCount: number;
}

export const AT_THE_START: Standing = { next: 0, files: 0, bytes: 0, problems: [], problemCount: 0 };

export interface VerifyContentOptions {
  readonly level: VerifyLevel;
  /** Which part of the data files is read at the level `bytes`, above 0 and up to 1, which is all. */
  readonly sample?: number;
  /** Chooses the sample: another one chooses other files. */
  readonly seed?: string;
  /** How fast all files together are read; as fast as can be when left out. */
  readonly bytesPerSecond?: number | undefined;
  readonly filesAtOnce?: number;
  readonly decrypt?: Decrypt;
  /** How much of `backupmeta` and of each file of metadata is read. */
  readonly limit?: ReadLimit;
  /** What `backupmeta` was when the backup ended, from a manifest that is believed: tells damage from a wrong key. */
  readonly sealed?: Seal | undefined;
  /** What the signature of that manifest is worth: with a good one, another catalogue is told from damage. */
  readonly signature?: SignatureState;
  /** What is wrong with that manifest. */
  readonly finding?: SignatureFinding | undefined;
  /** Where an earlier try got to. */
  readonly from?: Standing;
  /** Hears of each file, and of each piece of it. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly standing: Standing;
  /** Bytes that were read, those of files that are not done among them. */
  readonly bytesRead: number;
  /** Bytes that are to be read. */
  readonly bytesInAll: number;
}

export interface ContentReport {
  readonly level: VerifyLevel;
  /** `incomplete`: nothing speaks against the backup, but some files could not be read, or it bears no signature that is known. */
  readonly verdict: 'good' | 'damaged' | 'incomplete' | 'absent';
  /** What the backup holds; undefined where its catalogue cannot be read. */
  readonly result: BackupResult | undefined;
  /** What the catalogue says of it as a whole. */
  readonly description: BackupDescription | undefined;
  readonly filesListed: number;
  readonly bytesListed: number;
  readonly filesRead: number;
  readonly bytesRead: number;
  /** The first ones. */
  readonly problems: readonly Problem[];
  readonly problemCount: number;
  /** As it was told; undefined where it was not. */
  readonly signature: SignatureState | undefined;
}

const FILES_AT_ONCE = 4;
const TRIES = 4;
const PAUSE = { baseMs: 250, maxMs: 5_000 };

/**
 * Verifies a backup.
 *
 * @throws AppError `unavailable` or `storage_unusable` when its storage cannot be reached or used, or `backupmeta` is longer
 *   than the limit; what one other file is like is a problem of the report. The reason of an aborted signal. What was found until then is in the last progress.
 */
export async function verifyContent(
  files: BackupFiles,
  signal: AbortSignal,
  options: VerifyContentOptions,
): Promise<ContentReport> {
  const { level, sample = 1, seed = '', decrypt = PLAIN, sealed, signature, finding, from = AT_THE_START } = options;
  const limit = options.limit ?? metadataLimit(DEFAULT_METADATA_BYTES);
  const read = (name: string) => patiently(signal, () => files.read(name, signal, limit));
  const bytes = await read(BACKUPMETA).catch(unlessNoFile);
  if (bytes === NO_FILE) return ofNoCatalogue(options, 'damaged', 'content', 'backupmeta is not a file');
  if (!bytes) return ofNoCatalogue(options, 'absent', 'missing', 'backupmeta is missing');
  const walkOf = (meta: BackupMeta, report: (problem: Problem) => void = () => undefined) =>
    walkCatalogue(meta, { decrypt, read, report, whyUnreadable });
  const harmed = sealed && harmOf(bytes, sealed);
  const opened = readMeta(bytes, decrypt);
  if (harmed !== undefined) {
    const isReplaced = signature === 'good' && opened.kind === 'read' && (await isWhole(opened.meta, walkOf));
    return isReplaced
      ? ofNoCatalogue(options, 'damaged', 'tampered', REPLACED)
      : ofNoCatalogue(options, 'damaged', 'content', harmed);
  }
  if (opened.kind === 'bad')
    return sealed
      ? ofNoCatalogue(
          options,
          'damaged',
          'key',
          `backupmeta is what was written, and cannot be read with this key: ${opened.why}`,
        )
      : ofNoCatalogue(options, 'damaged', 'content', opened.why);
  const { meta } = opened;

  const unread = new Set<string>();
  /** The same walk again: what could be read the first time is no finding when it cannot be now, and is not passed over. */
  const walk = () =>
    walkOf(meta, ({ name, why }) => {
      if (!unread.has(name)) throw new AppError('unavailable', `The backup changed while it was verified: ${why}.`);
    });
  const isRead = ({ kind, name }: ListedFile) =>
    kind === 'statistics' || (kind === 'data' && level === 'bytes' && isSampled(name, sample, seed));
  const found = createFindings();
  if (finding) found.add(finding);
  const all = createFileTable();
  const sums = { dataFiles: 0, bytes: 0n, filesToRead: 0, bytesToRead: 0 };
  let [sampled, least] = [0, 1];
  const noteUnread = (problem: Problem) => {
    unread.add(problem.name);
    found.add(problem);
  };
  for await (const file of walkOf(meta, noteUnread)) {
    if (!all.note(file.name, file.bytes, file.kind === 'data' && !isRead(file))) continue;
    sums.bytes += file.bytes;
    if (file.kind === 'data') {
      sums.dataFiles += 1;
      sampled += isRead(file) ? 1 : 0;
      least = Math.min(least, shareOf(file.name, seed));
    }
    if (isRead(file)) {
      sums.filesToRead += 1;
      sums.bytesToRead += Number(file.bytes);
    }
  }
  // A sample of so few files that it holds none would prove nothing: it is as large as to hold one.
  if (level === 'bytes' && sums.dataFiles > 0 && sampled === 0)
    return verifyContent(files, signal, { ...options, sample: Math.min(1, least + 2 ** -32) });
  for await (const problem of compareWithList(files, all, walk, signal)) found.add(problem);
  const reading = { files, walk, all, isRead, decrypt, from, bytesInAll: sums.bytesToRead, signal };
  const standing = sums.filesToRead > 0 ? await readFiles(reading, options) : from;
  const problems = [...found.kept, ...(await nameSwapped(standing.problems, walk))].slice(0, MAX_VERIFY_PROBLEMS);
  const problemCount = found.count + standing.problemCount;
  return {
    level,
    verdict: verdictOf(problems, problemCount),
    result: resultOf(meta, bytes.length, sums),
    description: toDescription(meta),
    filesListed: all.size,
    bytesListed: Number(sums.bytes),
    filesRead: standing.files,
    bytesRead: standing.bytes,
    problems,
    problemCount,
    signature,
  };
}

const NO_FILE = Symbol();

/** A folder in the place of `backupmeta` is nothing that passes, and no fault of the storage. */
function unlessNoFile(error: unknown): typeof NO_FILE {
  if (error instanceof AppError && error.details.info?.notAFile !== undefined) return NO_FILE;
  throw error;
}

/** Once `backupmeta` was read, the storage itself was reached: what cannot be used is the one file. */
function whyUnreadable(error: unknown): string | undefined {
  return error instanceof AppError && error.code === 'storage_unusable' ? error.message.replace(/\.$/, '') : undefined;
}

const REPLACED = 'backupmeta is a whole catalogue, and not the one that was signed: it was put there';

/** Decay hardly leaves a catalogue whose files of metadata all have the hashes that it names; one without any proves nothing. */
async function isWhole(
  meta: BackupMeta,
  walkOf: (meta: BackupMeta, report: (problem: Problem) => void) => AsyncIterable<ListedFile>,
): Promise<boolean> {
  let [metadata, problems] = [0, 0];
  const walk = walkOf(meta, () => {
    problems += 1;
  });
  for await (const { kind } of walk) {
    if (kind === 'metadata') metadata += 1;
    if (problems > 0) return false;
  }
  return metadata > 0 && problems === 0;
}

function ofNoCatalogue(
  { level, signature, finding }: VerifyContentOptions,
  verdict: 'absent' | 'damaged',
  kind: Problem['kind'],
  why: string,
): ContentReport {
  const problems: Problem[] = [{ kind, name: BACKUPMETA, why }, ...(finding ? [finding] : [])];
  const counts = { filesListed: 0, bytesListed: 0, filesRead: 0, bytesRead: 0, problemCount: problems.length };
  return { level, verdict, result: undefined, description: undefined, ...counts, problems, signature };
}

function harmOf(bytes: Buffer, sealed: Seal): string | undefined {
  if (sealOf(bytes).sha256 === sealed.sha256) return undefined;
  return bytes.length === sealed.bytes
    ? 'backupmeta is damaged: it is not what was written'
    : `backupmeta has ${bytes.length} bytes instead of ${sealed.bytes}`;
}

function isSampled(name: string, sample: number, seed: string): boolean {
  return sample >= 1 || shareOf(name, seed) < sample;
}

/** The sample from which on a file is in it. */
function shareOf(name: string, seed: string): number {
  return hash('sha1', `${seed}/${name}`, 'buffer').readUInt32LE(0) / 2 ** 32;
}

/** Problems as they are found: the first ones, and how many. */
function createFindings() {
  const kept: Problem[] = [];
  let count = 0;
  return {
    kept,
    get count() {
      return count;
    },
    add(problem: Problem) {
      count += 1;
      if (kept.length < MAX_VERIFY_PROBLEMS) kept.push(problem);
    },
  };
}

/** What says nothing against a backup. */
const UNPROVEN: readonly Problem['kind'][] = ['unreadable', 'unsigned', 'unknownKey'];

function verdictOf(problems: readonly Problem[], problemCount: number): ContentReport['verdict'] {
  if (problemCount === 0) return 'good';
  return problems.every(({ kind }) => UNPROVEN.includes(kind)) ? 'incomplete' : 'damaged';
}

interface Reading {
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

/** What came of one file. */
interface Judged {
  readonly bytes: number;
  readonly problem: Problem | undefined;
}

/** Reads files, some at a time, and keeps what was found in their order. */
async function readFiles(
  { files, walk, all, isRead, decrypt, from, bytesInAll, signal }: Reading,
  { bytesPerSecond, filesAtOnce = FILES_AT_ONCE, onProgress }: VerifyContentOptions,
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
  return standing;
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

/** Says of files that hold what others should hold so. */
async function nameSwapped(problems: readonly Problem[], walk: () => AsyncIterable<ListedFile>): Promise<Problem[]> {
  const owners = new Map(problems.flatMap(({ found }) => (found === undefined ? [] : [[found, '']])));
  if (owners.size > 0)
    for await (const { name, sha256 } of walk()) {
      const digest = Buffer.from(sha256).toString('hex');
      if (owners.has(digest)) owners.set(digest, name);
    }
  return problems.map(({ kind, name, why, found }) => {
    const owner = found === undefined ? '' : owners.get(found);
    return owner ? { kind: 'swapped', name, why: `${name} holds what belongs into ${owner}` } : { kind, name, why };
  });
}

/** Does what may meet a storage that is out of reach for a moment. */
async function patiently<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
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
