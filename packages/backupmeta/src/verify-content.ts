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
import { hash } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { DEFAULT_METADATA_BYTES, MAX_VERIFY_PROBLEMS } from '@tidemark/limits/limits';
import type { BackupMeta } from '@tidemark/protocol/br/backup';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import type { ReadLimit } from '@tidemark/storage/read-limit';
import { BACKUPMETA, compareWithList, metadataLimit, readMeta, resultOf } from './backupmeta.ts';
import { type ListedFile, walkCatalogue } from './catalogue.ts';
import { AT_THE_START, type ContentReport, type Problem, type Standing, type VerifyLevel } from './content-report.ts';
import { type Decrypt, PLAIN } from './crypter.ts';
import { toDescription } from './description.ts';
import { createFileTable } from './file-table.ts';
import { patiently, type ReadingOptions, readFiles, whyUnreadable } from './read-files.ts';
import { type Seal, sealOf } from './seal.ts';
import type { SignatureFinding, SignatureState } from './signature.ts';

export interface VerifyContentOptions extends ReadingOptions {
  readonly level: VerifyLevel;
  /** Which part of the data files is read at the level `bytes`, above 0 and up to 1, which is all. */
  readonly sample?: number;
  /** Chooses the sample: another one chooses other files. */
  readonly seed?: string;
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
}

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
