/** Real servers that speak S3, each in its own way: what moto does not show about the stores that people have. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitForLock } from '@tidemark/processes/file-lock';
import { findOnPath, runStep } from '../find-program.ts';
import { installGoProgram } from '../go-package.ts';
import type { LocalServerOptions } from '../local-server.ts';
import { SHARED_CACHE } from '../repository.ts';
import { type ObjectStore, startObjectStore } from './object-store.ts';
import type { S3Key } from './s3.ts';

export interface KeyedStore extends ObjectStore {
  readonly key: S3Key;
}

const INSTALL_LIMIT_MS = 300_000;
const S3RVER_VERSION = '3.7.1';
const S3RVER_FOLDER = join(SHARED_CACHE, `s3rver-${S3RVER_VERSION}`);
const VERSITYGW = { name: 'versitygw', path: 'github.com/versity/versitygw/cmd/versitygw', version: 'v1.8.0' };
/** The engine of `rclone serve s3`. */
const GOFAKES3 = { name: 'gofakes3', path: 'github.com/johannesboyne/gofakes3/cmd/gofakes3', version: 'v1.2.0' };

/**
 * Starts versitygw over a folder; builds it on first use.
 *
 * @throws a sentence that says what is missing
 */
export async function startVersitygw(options: LocalServerOptions): Promise<KeyedStore> {
  const program = await installGoProgram(VERSITYGW, options);
  const key = { accessKeyId: 'tidemark', secretAccessKey: 'a key that is used on loopback only' };
  const store = await startObjectStore(
    {
      name: 'versitygw',
      title: 'versitygw',
      program,
      args: (port, folder) => [
        ...['--port', `127.0.0.1:${port}`, '--quiet', 'posix'],
        // Not every file system has the attributes that it keeps its own data in.
        ...['--sidecar', join(folder, 'attributes'), join(folder, 'buckets')],
      ],
      folders: ['attributes', 'buckets'],
      env: { ROOT_ACCESS_KEY: key.accessKeyId, ROOT_SECRET_KEY: key.secretAccessKey },
    },
    options,
  );
  return { ...store, key };
}

/**
 * Starts gofakes3, which keeps everything in memory and takes any key; builds it on first use.
 *
 * @throws a sentence that says what is missing
 */
export async function startGofakes3(options: LocalServerOptions): Promise<KeyedStore> {
  const program = await installGoProgram(GOFAKES3, options);
  const args = (port: number) => ['-backend', 'memory', '-host', `127.0.0.1:${port}`];
  const store = await startObjectStore({ name: 'gofakes3', title: 'gofakes3', program, args }, options);
  return { ...store, key: { accessKeyId: 'any', secretAccessKey: 'any' } };
}

/**
 * Starts s3rver over a folder; installs it on first use.
 *
 * @throws a sentence that says what is missing
 */
export async function startS3rver(options: LocalServerOptions): Promise<KeyedStore> {
  await installS3rver(options);
  const store = await startObjectStore(
    {
      name: 's3rver',
      title: 's3rver',
      program: process.execPath,
      args: (port, folder) => [
        join(S3RVER_FOLDER, 'node_modules', 's3rver', 'bin', 's3rver.js'),
        ...['-d', join(folder, 'buckets'), '-a', '127.0.0.1', '-p', String(port), '-s', '--no-vhost-buckets'],
      ],
      folders: ['buckets'],
    },
    options,
  );
  return { ...store, key: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' } };
}

async function installS3rver({ say, signal }: LocalServerOptions): Promise<void> {
  const complete = join(S3RVER_FOLDER, 'complete');
  if (existsSync(complete)) return;
  await mkdir(SHARED_CACHE, { recursive: true });
  using _ = await waitForLock(`${S3RVER_FOLDER}.lock`, signal, () => say('Waiting for another start of s3rver'));
  if (existsSync(complete)) return;
  const npm = findOnPath('npm');
  if (npm === undefined) throw new Error('s3rver needs npm on PATH.');
  say(`Installing s3rver ${S3RVER_VERSION} (once per checkout)`);
  await rm(S3RVER_FOLDER, { recursive: true, force: true });
  await mkdir(S3RVER_FOLDER, { recursive: true });
  const install = ['install', '--prefix', S3RVER_FOLDER, '--ignore-scripts', '--no-audit', '--no-fund', '--omit=dev'];
  await runStep(npm, [...install, `s3rver@${S3RVER_VERSION}`], 'npm could not install s3rver', {
    signal,
    limitMs: INSTALL_LIMIT_MS,
  });
  await writeFile(complete, '');
}
