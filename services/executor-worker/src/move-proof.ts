/**
 * Looks for what an admin says was moved: below each root the marker of the older place, and its newest good backups under
 * the paths that they have. What that proves is for backup-service to say.
 */

import { BACKUPMETA } from '@tidemark/backupmeta/backupmeta';
import {
  type DeclaredMove,
  type OlderPlace,
  type SettleMoveResponse,
  type StorageMarker,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { StorageFiles } from '@tidemark/storage/storage-files';
import { findMarker } from './storage/marker.ts';

/** Reports what was found of a place to backup-service, under the check that is held. */
export type ReportMove = (found: {
  readonly place: string;
  readonly number: string;
  readonly backups: string[];
}) => Promise<SettleMoveResponse>;

/** What a storage is known by once a move was proven: undefined where that says nothing new. */
export interface ProvenMoves {
  /** What was looked for and found of each place, in sentences. */
  readonly message: string;
  readonly marker?: StorageMarker;
}

/**
 * Whether the marker that lies in a storage is that of an older place, so that the storage can be looked at although it is
 * known by another one: the files may have been copied over it.
 */
export async function hasMarkerOf(
  { places }: DeclaredMove,
  storage: Storage,
  files: StorageFiles,
  signal: AbortSignal,
): Promise<boolean> {
  const number = await findMarker(files, storage, storage.root, signal);
  return places.some((place) => place.root === storage.root && place.number !== '' && place.number === number);
}

/** @throws Error that says of each place what is missing, where none of them is proven to be here */
export async function proveMoves(
  { places }: DeclaredMove,
  storage: Storage,
  files: StorageFiles,
  report: ReportMove,
  signal: AbortSignal,
): Promise<ProvenMoves> {
  if (places.length === 0) return { message: `All backups of storage ${storage.id} are where it is now.` };
  const answers: SettleMoveResponse[] = [];
  let marker: StorageMarker | undefined;
  for (const place of places) {
    const number = (await findMarker(files, storage, place.root, signal)) ?? '';
    const answer = await report({ place: place.place, number, backups: await findBackups(place, files, signal) });
    if (answer.standing === TaskStanding.TASK_STANDING_LOST) throw new Error('the check was lost');
    answers.push(answer);
    if (place.root === storage.root && answer.proven) marker = { number: answer.number, adopt: false };
  }
  const message = answers.map((answer) => answer.message).join(' ');
  if (!answers.some(({ proven }) => proven)) throw new Error(message);
  return { message, ...(marker && { marker }) };
}

async function findBackups({ backups }: OlderPlace, files: StorageFiles, signal: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  for (const path of backups) if (await files.find(`${path}/${BACKUPMETA}`, signal)) found.push(path);
  return found;
}
