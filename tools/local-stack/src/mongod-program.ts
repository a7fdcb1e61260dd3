import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ask, findOnPath } from './find-program.ts';
import type { LocalServerOptions } from './local-server.ts';
import { SHARED_CACHE } from './repository.ts';

/** The version that is downloaded where none is installed. */
const VERSION = '8.2.6';
const FOLDER = join(SHARED_CACHE, 'mongod');

/** The `mongod` on PATH, if it is 4.4 or newer. */
export async function findInstalledMongod(signal: AbortSignal): Promise<string | undefined> {
  const mongod = findOnPath('mongod');
  if (mongod === undefined) return undefined;
  const version = /db version v(\d+)\.(\d+)/.exec((await ask(mongod, ['--version'], 5_000, signal)) ?? '');
  const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)];
  return major > 4 || (major === 4 && minor >= 4) ? mongod : undefined;
}

/** The `mongod` that was downloaded for this checkout before. */
export async function findDownloadedMongod(): Promise<string | undefined> {
  const { DryMongoBinary } = await loadDownloader();
  const options = await DryMongoBinary.generateOptions({ version: VERSION, downloadDir: FOLDER });
  const path = await DryMongoBinary.locateBinary(options);
  return path?.startsWith(FOLDER) ? path : undefined;
}

/** Downloads the official `mongod` into the cache of this checkout, if its server answers within 3 seconds. */
export async function downloadMongod({ say, signal }: LocalServerOptions): Promise<string | undefined> {
  const [{ MongoBinary }, url] = [await loadDownloader(), await downloadUrl()];
  if (url === undefined || !(await isReachable(url, signal))) return undefined;
  say(`Downloading MongoDB ${VERSION} (once per checkout)`);
  await mkdir(FOLDER, { recursive: true });
  return MongoBinary.getPath({ version: VERSION, downloadDir: FOLDER });
}

/** Where the official build for this platform is, or `undefined` if there is none. */
async function downloadUrl(): Promise<string | undefined> {
  const { MongoBinaryDownloadUrl } = await import('mongodb-memory-server-core/lib/util/MongoBinaryDownloadUrl.js');
  const [platform, arch] = [process.platform, process.arch];
  return new MongoBinaryDownloadUrl({ platform, arch, version: VERSION }).getDownloadUrl().catch(() => undefined);
}

async function isReachable(url: string, signal: AbortSignal): Promise<boolean> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(3_000)]);
  const response = await fetch(url, { method: 'HEAD', signal: limit }).catch(() => undefined);
  signal.throwIfAborted();
  return response?.ok === true;
}

/** Loaded late: most starts need none of it. */
function loadDownloader() {
  return import('mongodb-memory-server-core');
}
