import type { BackupFiles } from './backup-files.ts';

/**
 * The files of a backup in a folder that may be away for a moment, as a share is whose mount comes and goes.
 *
 * A file that is not there is looked for twice, and between the two looks and behind them the storage is known to be itself: so it is
 * missing only where the storage says so, and not where what lies beneath a mount does. A list ends only where the storage is known.
 *
 * @param confirm throws where the storage is not the known one now
 */
export function confirmedFiles(files: BackupFiles, confirm: (signal: AbortSignal) => Promise<void>): BackupFiles {
  async function twice<T>(look: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const found = await look();
    if (found) return found;
    await confirm(signal);
    const again = await look();
    if (!again) await confirm(signal);
    return again;
  }
  return {
    ...files,
    async *list(signal) {
      yield* files.list(signal);
      await confirm(signal);
    },
    read: (name, signal, limit) => twice(() => files.read(name, signal, limit), signal),
    stream: (name, signal, take) => twice(() => files.stream(name, signal, take), signal),
  };
}
