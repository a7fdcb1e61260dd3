import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@tidemark/errors/app-error';
import { pathOf } from './file-names.ts';

const GONE = ['ENOENT', 'ENOTDIR'];

/** Whether an error of the file system says that something is not there. */
export function isGone(error: unknown): boolean {
  return GONE.includes((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * Makes sure that no part of a path below a folder is a link, so that nothing outside it can be reached.
 *
 * @throws AppError `storage_unusable` naming the link
 */
export async function refuseLinks(root: string, parts: readonly string[]): Promise<void> {
  let path = root;
  for (const part of parts) {
    path = join(path, part);
    try {
      if ((await lstat(pathOf(path))).isSymbolicLink())
        throw new AppError(
          'storage_unusable',
          `${path.toWellFormed()} is a link; a backup’s path must not lead out of its storage.`,
        );
    } catch (error) {
      if (isGone(error)) return;
      throw error;
    }
  }
}
