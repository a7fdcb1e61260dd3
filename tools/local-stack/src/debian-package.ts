import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitForLock } from '@tidemark/processes/file-lock';
import { findOnPath, runStep } from './find-program.ts';
import { APT_OPTIONS } from './install-package.ts';
import type { LocalServerOptions } from './local-server.ts';
import { SHARED_CACHE } from './repository.ts';

const STEP_LIMIT_MS = 180_000;

/**
 * Unpacks packages of this Debian or Ubuntu into a folder that all stacks of this checkout share. Nothing is installed: no user is made, no
 * service is started, and what they depend on does not come with them.
 *
 * @returns the folder, in which their files lie as below `/`
 * @throws a sentence that says what is missing
 */
export async function unpackDebianPackages(
  names: readonly string[],
  { say, signal }: Pick<LocalServerOptions, 'say' | 'signal'>,
): Promise<string> {
  const title = names.join(', ');
  const folder = join(SHARED_CACHE, ['debian', ...names].join('-'));
  const complete = join(folder, 'complete');
  const root = join(folder, 'root');
  if (existsSync(complete)) return root;
  const [apt, dpkg, env] = ['apt-get', 'dpkg', 'env'].map((name) => findOnPath(name));
  if (apt === undefined || dpkg === undefined || env === undefined)
    throw new Error(`${title} can be unpacked on Debian and Ubuntu only: install them, and see that they are on PATH.`);
  await mkdir(SHARED_CACHE, { recursive: true });
  using _ = await waitForLock(`${folder}.lock`, signal, () => say(`Waiting for another start that unpacks ${title}`));
  if (existsSync(complete)) return root;
  say(`Unpacking ${title} (once per checkout)`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  const limits = { signal, limitMs: STEP_LIMIT_MS };
  const download = () =>
    runStep(
      env,
      ['-C', folder, apt, ...APT_OPTIONS, 'download', ...names],
      `apt-get could not download ${title}`,
      limits,
    );
  try {
    await download();
  } catch {
    // The lists are not there, or name versions that are gone.
    await runStep(apt, [...APT_OPTIONS, 'update'], 'apt-get could not read its lists anew', limits);
    await download();
  }
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.deb')))
    await runStep(dpkg, ['-x', join(folder, file), root], `${file} could not be unpacked`, limits);
  await writeFile(complete, '');
  return root;
}
