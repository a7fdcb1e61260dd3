/**
 * Probes a storage: does what a backup and its removal do, with one small file of its own.
 *
 * Stops at the first step that fails, but never without trying to remove the probe: only a check that was lost leaves it,
 * since whoever has the check now uses the same name.
 */
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { withTimeout } from '@tidemark/service-kit/abort';
import type { CheckWork } from './check-work.ts';
import { storageCredentials } from './storage/credentials.ts';
import { openStorage, type StorageFiles, type StorageTraits } from './storage/storage-files.ts';

const PROBES = '.tidemark-probe';
/** Together the steps must have a chance to end within the 30 s that the caller waits. */
const STEP_MS = 20_000;
const CLEANUP_MS = 5_000;

/** Probes the storage; what was found is in the steps. */
export async function runCheckTask({ checkId, storage, env, steps, lost, drain }: CheckWork): Promise<void> {
  const limited = () => withTimeout(STEP_MS, lost, drain);
  const folder = `${storage.root}/${PROBES}`;
  const name = `${folder}/${checkId}`;
  const content = `${JSON.stringify({ probe: checkId, text: 'Tidemark checks this storage; this file may be deleted.' })}\n`;
  let files: StorageFiles | undefined;
  const opened = (): StorageFiles => {
    if (!files) throw new Error('the storage is not open');
    return files;
  };
  let written = false;
  const probe: readonly (readonly [string, () => Promise<string>])[] = [
    ['credentials', async () => describeCredentials(storage, await storageCredentials(storage, env))],
    [
      'reach',
      async () => {
        files = await openStorage(storage, env, { answerMs: STEP_MS });
        for await (const first of files.folders(storage.root, limited()))
          return `The storage answers; ${storage.root} holds ${first}.`;
        return `The storage answers; ${storage.root} is empty.`;
      },
    ],
    [
      'write',
      async () => {
        written = true;
        await opened().write(name, content, limited());
        return `${name} was written.`;
      },
    ],
    [
      'list',
      async () => {
        const size = await sizeOf(opened(), folder, checkId, limited());
        if (size === undefined) throw new Error(`${name} was written, but listing ${folder} does not show it.`);
        if (size !== content.length) throw new Error(`${name} has ${size} bytes, but ${content.length} were written.`);
        return `${name} is listed.`;
      },
    ],
    [
      'read',
      async () => {
        const found = await opened().read(name, limited());
        if (!found) throw new Error(`${name} was written, but it is not there when it is read.`);
        if (found.toString() !== content) throw new Error(`${name} holds something else than was written.`);
        return `${name} reads as it was written.`;
      },
    ],
    [
      'delete',
      async () => {
        const [failure] = await opened().remove([name], limited());
        if (failure) throw new Error(`${name} could not be deleted: ${failure.why}`);
        return `${name} was deleted.`;
      },
    ],
    [
      'gone',
      async () => {
        const size = await sizeOf(opened(), folder, checkId, limited());
        if (size !== undefined || (await opened().read(name, limited())))
          throw new Error(`${name} was deleted, but it is still there.`);
        written = false;
        return `${name} is gone.`;
      },
    ],
    ['traits', async () => describeTraits(await opened().traits(limited()))],
  ];

  for (const [step, act] of probe) if (!(await steps.run(step, act))) break;

  if (!files || lost.aborted) return;
  const signal = withTimeout(CLEANUP_MS, lost);
  if (written) await files.remove([name], signal).catch(() => undefined); // the failed step says what is wrong
  await files.finishRemoval(folder, signal).catch(() => undefined); // another probe may be in it
}

async function sizeOf(
  files: StorageFiles,
  folder: string,
  name: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  for await (const file of files.list(folder, signal)) if (file.name === name) return file.bytes;
  return undefined;
}

function describeCredentials({ location, credentials }: Storage, found: Readonly<Record<string, string>>): string {
  if (location?.$case === 'local') return 'A folder needs none: the user that the worker runs as counts.';
  const names = Object.keys(found).join(', ');
  if (names === '') return 'None are set: the role of the worker itself counts.';
  const source = credentials?.source;
  const where = source?.$case === 'file' ? source.value : 'the worker’s environment';
  return `Found in ${where}: ${names}.`;
}

function describeTraits({ versions, lock }: StorageTraits): string {
  const facts = [versions, lock].filter((fact) => fact !== '');
  return facts.length > 0 ? facts.join(' ') : 'What is deleted is gone, and nothing keeps files from being deleted.';
}
