import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitForLock } from '@tidemark/processes/file-lock';
import { findOnPath, runStep } from '../find-program.ts';
import type { LocalServerOptions } from '../local-server.ts';
import { SHARED_CACHE } from '../repository.ts';
import { type ObjectStore, startObjectStore } from './object-store.ts';

const INSTALL_LIMIT_MS = 300_000;
const VERSION = '3.37.0';
const FOLDER = join(SHARED_CACHE, `azurite-${VERSION}`);
const COMPLETE = join(FOLDER, 'complete');

/** A server that speaks Azure Blob Storage, with one account. */
export interface AzureServer extends ObjectStore {
  readonly accountName: string;
  readonly accountKey: string;
}

/**
 * Starts Azurite, which keeps everything in memory; installs it on first use.
 *
 * @throws a sentence that says what is missing
 */
export async function startAzureServer(options: LocalServerOptions): Promise<AzureServer> {
  await installAzurite(options);
  const accountName = 'tidemark';
  const accountKey = Buffer.from('a key that is used on loopback only').toString('base64');
  const store = await startObjectStore(
    {
      name: 'azurite',
      title: 'Azurite',
      program: process.execPath,
      args: (port) => [
        join(FOLDER, 'node_modules', 'azurite', 'dist', 'src', 'blob', 'main.js'),
        ...['--blobHost', '127.0.0.1', '--blobPort', String(port)],
        ...['--inMemoryPersistence', '--silent', '--disableTelemetry', '--skipApiVersionCheck'],
      ],
      env: { AZURITE_ACCOUNTS: `${accountName}:${accountKey}` },
    },
    options,
  );
  return { ...store, endpoint: `${store.endpoint}/${accountName}`, accountName, accountKey };
}

async function installAzurite({ say, signal }: LocalServerOptions): Promise<void> {
  if (existsSync(COMPLETE)) return;
  await mkdir(SHARED_CACHE, { recursive: true });
  using _ = await waitForLock(`${FOLDER}.lock`, signal, () => say('Waiting for another start that installs Azurite'));
  if (existsSync(COMPLETE)) return;
  const npm = findOnPath('npm');
  if (npm === undefined) throw new Error('Azurite needs npm on PATH.');
  say(`Installing Azurite ${VERSION} (245 MB, once per checkout)`);
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  const install = ['install', '--prefix', FOLDER, '--ignore-scripts', '--no-audit', '--no-fund', '--omit=dev'];
  await runStep(npm, [...install, `azurite@${VERSION}`], 'npm could not install Azurite', {
    signal,
    limitMs: INSTALL_LIMIT_MS,
  });
  await writeFile(COMPLETE, '');
}
