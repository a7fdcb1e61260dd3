import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import {
  removeFolder,
  sweepTemporaryData,
  TEMPORARY_DATA,
  temporaryDataFolder,
} from '@tidemark/local-stack/temporary-data';

const PARENT_POLL_MS = 500;

/**
 * Sees to it that a test run leaves no process and no data folder, however it ends: what its tests start lies below
 * one folder that goes with this process, and what an earlier run left (kill -9) is ended first.
 */
export default async function setup(): Promise<() => void> {
  endWithParent();
  await sweepTemporaryData();
  const dataDir = temporaryDataFolder();
  const folder = await claimDataFolder(dataDir);
  process.env[TEMPORARY_DATA] = dataDir;
  return () => {
    folder[Symbol.dispose]();
    removeFolder(dataDir);
  };
}

/** When npm or the bootstrap was killed, nobody tells us to stop: exit, and with it everything that was started. */
function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && process.exit(1), PARENT_POLL_MS).unref();
}
