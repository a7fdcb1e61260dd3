/**
 * The marker of a storage: a small file with a random number below its root, `.tidemark/<id of the storage>.json`, so that
 * a share that is not mounted, or another one in its place, is not taken for the storage.
 *
 * M1. Where a number is known, nothing is written or removed beside another one; and in a folder not beside none either,
 *     for that is what a mount leaves behind. A bucket cannot be left behind: there a marker may have been cleaned away.
 *     A removal is only reported where the number is still there at its end.
 * M2. Reading needs no marker, as the storage may be read-only; but another one than the known is refused.
 * M3. A marker is written only where none of the good backups on record that were asked about is missing.
 * M4. The number that lies in the storage wins over the one that would be written, and what backup-service took down first
 *     over both. Whoever lost takes back what it wrote.
 */

import { BACKUPMETA } from '@tidemark/backupmeta/backupmeta';
import { AppError } from '@tidemark/errors/app-error';
import { isId } from '@tidemark/limits/id';
import {
  type SettleMarkerResponse,
  type StorageMarker,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { sleep } from '@tidemark/service-kit/backoff';
import type { Env } from '@tidemark/service-kit/env';
import { type BackupFiles, backupFilesIn } from '@tidemark/storage/backup-files';
import { confirmedFiles } from '@tidemark/storage/confirmed-files';
import { openStorage, type StorageOptions } from '@tidemark/storage/open-storage';
import type { StorageFiles } from '@tidemark/storage/storage-files';

/** A storage, and what it is known by; without a marker where backup-service is older than the worker. */
export interface KnownStorage {
  readonly storage: Storage | undefined;
  /** First part of the paths in it. */
  readonly root: string;
  readonly marker: StorageMarker | undefined;
}

interface Opening extends StorageOptions {
  /** Nothing is written or removed. */
  readonly reading?: true;
  readonly signal: AbortSignal;
}

const NUMBER = /^[0-9a-f]{32}$/;
/** What the system says of a folder that is not there, or not any more. */
const NOT_THERE = ['ENOENT', 'ENOTDIR', 'ENOTCONN', 'ENODEV', 'ESTALE'];

/**
 * Opens a storage, if it is the one that it is known as.
 *
 * @param env of this worker
 * @throws AppError `unavailable` when it is not mounted here, or another one is; and as `openStorage` does
 */
export async function openKnownStorage(
  known: KnownStorage,
  env: Env,
  { reading, signal, ...options }: Opening,
): Promise<StorageFiles> {
  const { storage, marker } = known;
  if (!storage || !marker || marker.number === '' || marker.adopt) return openStorage(storage, env, options);
  const files = await openMounted(storage, env, options);
  await requireKnown(known, files, { signal, ...(reading && { reading }) });
  return files;
}

/**
 * Looks whether a storage that was opened is still the one that it is known as: a share can go while work is done in it, and
 * then nothing of what lies there is seen.
 *
 * @throws AppError `unavailable` as `openKnownStorage` does
 */
export async function requireKnown(
  { storage, root, marker }: KnownStorage,
  files: StorageFiles,
  { reading, signal }: Pick<Opening, 'reading' | 'signal'>,
): Promise<void> {
  if (!storage || !marker || marker.number === '' || marker.adopt) return;
  const name = markerName(storage, root);
  const found = await readMarker(files, name, signal);
  if (found === marker.number) return;
  if (found === undefined && (reading || files.localRoot === undefined)) return;
  throw found === undefined ? notMounted(storage.id, name, `${name} is missing`) : another(storage.id, name, found);
}

/**
 * The files of a backup in a storage that was opened as a known one. What is not there in a folder is missing only where the storage is
 * known to be itself meanwhile: its share may go and come back. An object store is not left behind by a mount.
 *
 * @throws AppError as `backupFilesIn`; its reads and lists `unavailable` as `openKnownStorage` does
 */
export async function knownFilesIn(known: KnownStorage, files: StorageFiles, path: string): Promise<BackupFiles> {
  const backup = await backupFilesIn(files, path);
  if (files.localRoot === undefined) return backup;
  return confirmedFiles(backup, (signal) => requireKnown(known, files, { signal }));
}

/** The number in the marker below a root; empty where that file is none, undefined where there is no file. */
export function findMarker(
  files: StorageFiles,
  storage: Storage,
  root: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  return readMarker(files, markerName(storage, root), signal);
}

/** The root of the storage in which a backup lies. */
export function rootOf(path: string): string {
  return path.split('/').slice(0, -2).join('/');
}

/** Whether a storage is away because of its marker, and not for any other reason. */
export function isOfMarker(error: unknown): boolean {
  return error instanceof AppError && error.details.info?.marker !== undefined;
}

/** Below the storage. */
function markerName({ id }: Storage, root: string): string {
  if (!isId(id)) throw new AppError('storage_unusable', 'The storage has no id that can name its marker.');
  return `${root}/.tidemark/${id}.json`;
}

/** A folder that is not there is not mounted, where the storage was there before. */
async function openMounted(storage: Storage, env: Env, options: StorageOptions): Promise<StorageFiles> {
  try {
    return await openStorage(storage, env, options);
  } catch (error) {
    const { code = '' } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
    const { location, id } = storage;
    if (location?.$case !== 'local' || !NOT_THERE.includes(code)) throw error;
    throw notMounted(id, location.value.path, `${location.value.path} cannot be used (${code})`);
  }
}

const ADOPT = 'If this is the storage all the same, an admin says so with a check that adopts it.';

function notMounted(storageId: string, marker: string, why: string): AppError {
  const message = `Storage ${storageId} is not mounted here: ${why}. Mount it, and what waits goes on. ${ADOPT}`;
  return new AppError('unavailable', message, { info: { storageId, marker } });
}

function another(storageId: string, marker: string, found: string): AppError {
  const what = found === '' ? `${marker} is none of its markers` : `${marker} holds another number`;
  const message = `Another storage is mounted here than ${storageId}: ${what}. ${ADOPT}`;
  return new AppError('unavailable', message, { info: { storageId, marker } });
}

/** The number in a marker; empty where the file is none, undefined where there is no file. */
async function readMarker(files: StorageFiles, name: string, signal: AbortSignal): Promise<string | undefined> {
  const content = await files.read(name, signal);
  if (!content) return undefined;
  try {
    const { number } = JSON.parse(content.toString()) as { number?: unknown };
    return typeof number === 'string' && NUMBER.test(number) ? number : '';
  } catch {
    return '';
  }
}

/** Reports to backup-service which number lies in the storage, or asks with an empty one; under the task or check that is held. */
export type ReportMarker = (number: string) => Promise<SettleMarkerResponse>;

interface Settling extends KnownStorage {
  readonly files: StorageFiles;
  readonly report: ReportMarker;
  readonly signal: AbortSignal;
}

/**
 * Has a storage that turned out to be good be known by its marker from now on: by the one that is there, or by one that is
 * written.
 *
 * @returns what it is known by, or why it is known by none, in a sentence
 * @throws AppError `unavailable` when it is known by another one
 */
export async function settleMarker({ storage, root, marker, files, report, signal }: Settling): Promise<string> {
  if (!storage || !marker) return 'This version of backup-service knows no markers.';
  const name = markerName(storage, root);
  const there = await readMarker(files, name, signal);
  if (marker.number !== '' && !marker.adopt) {
    if (there === marker.number) return `The storage is known by ${name}.`;
    if (there !== undefined) throw another(storage.id, name, there);
    if (files.localRoot !== undefined) throw notMounted(storage.id, name, `${name} is missing`);
  }
  if (there === '' && !marker.adopt) return `${name} is no marker of Tidemark; the storage is used without one.`;
  if (there) return await settled({ storage, name, report, number: there });
  const { candidate, backups, standing } = await report('');
  if (standing === TaskStanding.TASK_STANDING_LOST) throw new Error('the task was lost');
  if (candidate === '') return 'The storage has no marker.';
  const missing = await findMissing(files, backups, signal);
  if (missing !== undefined) {
    const why = `No marker was written, as the good backup ${missing} is not there: is this the storage, and mounted?`;
    if (marker.adopt) throw new AppError('storage_unusable', why);
    return why;
  }
  const content = { schemaVersion: 1, storageId: storage.id, number: candidate, text: TEXT };
  const why = await write(files, name, `${JSON.stringify(content, null, 2)}\n`, candidate, signal);
  if (why !== undefined) return `${name} could not be written, and the storage is used without a marker: ${why}`;
  try {
    return await settled({ storage, name, report, number: candidate });
  } catch (error) {
    if (isOfMarker(error)) await files.remove([name], signal);
    throw error;
  }
}

/** Writes a marker; answers why it is not there in the end, or nothing where it is. */
async function write(
  files: StorageFiles,
  name: string,
  content: string,
  number: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  let why = 'it does not read as it was written';
  for (let tries = 1; tries <= WRITES; tries += 1) {
    try {
      await files.write(name, content, signal);
    } catch (error) {
      signal.throwIfAborted();
      // Another worker may be writing the same.
      why = error instanceof Error ? error.message : String(error);
    }
    if ((await readMarker(files, name, signal)) === number) return undefined;
    await sleep(WRITE_PAUSE_MS, signal);
  }
  return why;
}

const WRITES = 3;
const WRITE_PAUSE_MS = 200;
const TEXT = 'Tidemark knows this storage by the number; leave this file where it is.';

async function settled({
  storage,
  name,
  report,
  number,
}: {
  readonly storage: Storage;
  readonly name: string;
  readonly report: ReportMarker;
  readonly number: string;
}): Promise<string> {
  const { number: counts, standing } = await report(number);
  if (standing === TaskStanding.TASK_STANDING_LOST) throw new Error('the task was lost');
  if (counts === number) return `The storage is known by ${name}.`;
  throw another(storage.id, name, number);
}

/** The first of the good backups that is not there. */
async function findMissing(
  files: StorageFiles,
  backups: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const path of backups) if (!(await files.find(`${path}/${BACKUPMETA}`, signal))) return path;
  return undefined;
}
