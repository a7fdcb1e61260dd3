import { BACKUPMETA, clusterIdOfLog } from '@tidemark/backupmeta/backupmeta';
import type { Env } from '@tidemark/service-kit/env';
import { openBackupFiles } from '@tidemark/storage/backup-files';
import type { ReadClusterId } from './look.ts';

/** A look waits for it, and goes on without. */
const READ_MS = 5_000;

/** Reads of which cluster of TiDB a log is, with the keys of this process. */
export function clusterIdReader(env: Env): ReadClusterId {
  return async ({ storage, path }) => {
    const files = await openBackupFiles(storage, path, env);
    const bytes = await files.read(BACKUPMETA, AbortSignal.timeout(READ_MS));
    if (!bytes) throw new Error('there is no backupmeta in the place of the log');
    return clusterIdOfLog(bytes);
  };
}
