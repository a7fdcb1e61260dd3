import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const VERSION_DEADLINE_MS = 15_000;

/**
 * What `<program> -V` says of its release, such as "v8.5.0".
 *
 * @throws Error when it cannot be run or names no release
 */
export async function readBrVersion(program: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['-V'], {
    env: { ...env },
    timeout: VERSION_DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  const version = /^Release Version:\s*(\S+)/m.exec(stdout)?.[1];
  if (!version) throw new Error(`${program} -V names no release version`);
  return version;
}
