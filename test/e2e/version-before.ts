/** Processes of an earlier version, by commit, for tests in which they run beside those of today. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '@tidemark/local-stack/repository';

/** Whether the history of this checkout reaches back to a commit. */
export function hasHistory(commit: string): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: REPOSITORY, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Sources as they were, over the packages of others that are installed today. */
export interface Before extends Disposable {
  /** What runs a process of it in the place of today's, such as of `services/backup-service`. */
  runner(place: string): string[];
}

/** @param places whose processes are wanted, by folder */
export function checkOut(commit: string, places: readonly string[]): Before {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-before-'));
  const archive = join(folder, 'archive.tar');
  execFileSync('git', ['archive', '--output', archive, commit, 'package.json', 'packages', ...places], {
    cwd: REPOSITORY,
  });
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  // pnpm's links are relative: in the copy they lead to the copy's own packages.
  for (const place of [...places, ...readdirSync(join(folder, 'packages')).map((name) => join('packages', name))]) {
    const installed = join(REPOSITORY, place, 'node_modules');
    if (existsSync(installed))
      cpSync(installed, join(folder, place, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  }
  return {
    runner: (place) => ['sh', '-c', `exec "$0" ${join(folder, place, 'src', 'main.ts')}`, process.execPath],
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
