import { BrError, invalidArgument } from './br-error.ts';
import type { Checkpoint, CheckpointMeta } from './checkpoint.ts';
import type { Log } from './log.ts';
import type { Storage } from './storage.ts';

export const BACKUP_META = 'backupmeta';
export const BACKUP_LOCK = 'backup.lock';
const BACKUP_LOCK_TEXT = "DO NOT DELETE\nThis file exists to remind other backup jobs won't use this path";

/**
 * Looks what is in the path already, in BR's order and words (br-contract 5.2), and marks it as used: `backup.lock`
 * is written once and never removed.
 *
 * @param checkpoint undefined in versions without one: they know only the first and the last rule
 * @returns the checkpoint to resume, if there is one
 * @throws BrError if the path may not be used, or the storage cannot be reached
 */
export async function enterPath(
  storage: Storage,
  checkpoint: Checkpoint | undefined,
  { configHash, log }: { configHash: string; log: Log },
): Promise<CheckpointMeta | undefined> {
  if (await isThere(storage, BACKUP_META)) {
    throw invalidArgument(
      `backup meta file exists in ${storage.uri}/${BACKUP_META}, there may be some backup files in the path already, ` +
        'please specify a correct backup directory!',
    );
  }
  const meta = await checkpoint?.readMeta();
  if (meta !== undefined) {
    log.info('client.go:521', 'load the checkpoint meta, so the existence of lockfile is allowed.');
    if (meta.configHash !== configHash) {
      throw invalidArgument(
        `failed to backup to ${storage.uri}, because the checkpoint mode is used, but the hashs of the configs are ` +
          'not the same. Please check the config',
      );
    }
    return meta;
  }
  if ((await isThere(storage, BACKUP_LOCK)) && (await storage.list()).some((name) => name.endsWith('.sst'))) {
    throw invalidArgument(
      `backup lock file and sst file exist in ${storage.uri}/${BACKUP_LOCK}, there are some backup files in the path ` +
        "already, but hasn't checkpoint metadata, please specify a correct backup directory!",
    );
  }
  await storage.writeWhole(BACKUP_LOCK, BACKUP_LOCK_TEXT);
  return undefined;
}

async function isThere(storage: Storage, name: string): Promise<boolean> {
  try {
    return await storage.exists(name);
  } catch (error) {
    throw new BrError(`error occurred when checking ${name} file: ${(error as Error).message}`);
  }
}
