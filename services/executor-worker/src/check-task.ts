/**
 * Probes a storage: does what a backup and its removal do, with one small file of its own.
 *
 * Stops at the first step that fails, but never without trying to remove the probe: only a check that was lost leaves it,
 * since whoever has the check now uses the same name.
 */
import type { DeclaredMove } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { withTimeout } from '@tidemark/service-kit/abort';
import { storageCredentials } from '@tidemark/storage/credentials';
import { openStorage } from '@tidemark/storage/open-storage';
import type { StorageFiles, StorageTraits } from '@tidemark/storage/storage-files';
import type { CheckWork } from './check-work.ts';
import { hasMarkerOf, proveMoves, type ReportMove } from './move-proof.ts';
import { isOfMarker, openKnownStorage, type ReportMarker, settleMarker } from './storage/marker.ts';

const PROBES = '.tidemark-probe';
/** Together the steps must have a chance to end within the 30 s that the caller waits. */
const STEP_MS = 20_000;
const CLEANUP_MS = 5_000;

export interface ProbeWork extends CheckWork {
  /** Reports the number of the marker to backup-service, under this check; goes with `marker`. */
  readonly reportMarker?: ReportMarker;
  /** What an admin says was moved here; goes with `reportMove`. */
  readonly move?: DeclaredMove | undefined;
  /** Reports what was found of that to backup-service, under this check. */
  readonly reportMove?: ReportMove;
}

/** Probes the storage; what was found is in the steps. */
export async function runCheckTask(work: ProbeWork): Promise<void> {
  const { checkId, storage, marker, reportMarker: report, move, reportMove, env, steps, lost, drain } = work;
  let known = { storage, marker, root: storage.root };
  const limited = () => withTimeout(STEP_MS, lost, drain);
  const folder = `${storage.root}/${PROBES}`;
  const name = `${folder}/${checkId}`;
  const content = `${JSON.stringify({ probe: checkId, text: 'Tidemark checks this storage; this file may be deleted.' })}\n`;
  let files: StorageFiles | undefined;
  const opened = (): StorageFiles => {
    if (!files) throw new Error('the storage is not open');
    return files;
  };
  const open = async () => {
    const options = { answerMs: STEP_MS };
    try {
      return await openKnownStorage(known, env, { ...options, signal: limited() });
    } catch (error) {
      if (!move || !isOfMarker(error)) throw error;
      const other = await openStorage(storage, env, options);
      if (await hasMarkerOf(move, storage, other, limited())) return other;
      throw error;
    }
  };
  let written = false;
  const probe: readonly (readonly [string, () => Promise<string>])[] = [
    ['credentials', async () => describeCredentials(storage, await storageCredentials(storage, env))],
    [
      'reach',
      async () => {
        files = await open();
        for await (const first of files.folders(storage.root, limited()))
          return `The storage answers; ${storage.root} holds ${first.toWellFormed()}.`;
        return `The storage answers; ${storage.root} is empty.`;
      },
    ],
    [
      'write',
      async () => {
        written = true;
        await opened().write(name, content, limited(), { asBackup: true });
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
    ...(move && reportMove
      ? [
          [
            'moved',
            async () => {
              const proven = await proveMoves(move, storage, opened(), reportMove, limited());
              known = { ...known, ...(proven.marker && { marker: proven.marker }) };
              return proven.message;
            },
          ] as const,
        ]
      : []),
    // The last, since only a good storage is marked.
    ...(marker && report
      ? [['marker', () => settleMarker({ ...known, files: opened(), report, signal: limited() })] as const]
      : []),
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
