import { invalidArgument } from './br-error.ts';
import { type CheckpointMeta, readCheckpointMeta } from './checkpoint.ts';
import { fileExists, type LocalStorage, listFiles, writeWhole } from './storage.ts';

export const BACKUP_META = 'backupmeta';
export const BACKUP_LOCK = 'backup.lock';
const BACKUP_LOCK_TEXT = "DO NOT DELETE\nThis file exists to remind other backup jobs won't use this path";

/**
 * Looks what is in the path already, in BR's order and words (br-contract 5.2), and marks it as used: `backup.lock`
 * is written once and never removed.
 *
 * @returns the checkpoint to resume, if there is one
 * @throws BrError if the path may not be used
 */
export async function enterPath(storage: LocalStorage, configHash: string): Promise<CheckpointMeta | undefined> {
  if (await fileExists(storage, BACKUP_META)) {
    throw invalidArgument(
      `backup meta file exists in ${storage.uri}/${BACKUP_META}, there may be some backup files in the path already, ` +
        'please specify a correct backup directory!',
    );
  }
  const checkpoint = await readCheckpointMeta(storage);
  if (checkpoint !== undefined) {
    if (checkpoint.configHash !== configHash) {
      throw invalidArgument(
        `failed to backup to ${storage.uri}, because the checkpoint mode is used, but the hashs of the configs are ` +
          'not the same. Please check the config',
      );
    }
    return checkpoint;
  }
  if ((await fileExists(storage, BACKUP_LOCK)) && (await listFiles(storage)).some((name) => name.endsWith('.sst'))) {
    throw invalidArgument(
      `backup lock file and sst file exist in ${storage.uri}/${BACKUP_LOCK}, there are some backup files in the path ` +
        "already, but hasn't checkpoint metadata, please specify a correct backup directory!",
    );
  }
  await writeWhole(storage, BACKUP_LOCK, BACKUP_LOCK_TEXT);
  return undefined;
}
