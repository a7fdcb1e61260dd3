import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import type { BenchContext, Benchmark, Figure } from './benchmark.ts';
import { startFloor } from './floors/floor.ts';
import { PATH, serveLargeBackup, writeLargeBackup } from './large-backup.ts';
import { against, median } from './statistics.ts';
import type { Verified, VerifierSettings } from './verifier.ts';

const MIB = 2 ** 20;
const FILE_BYTES = 16 * MIB;
const FEW = 1_000;
/** What a verification may need, however many files there are: some bytes for each, and the garbage of any long run. */
const MOST_MB = 256;
const LEAST_SPEED = 0.5;

export const benchmark: Benchmark = {
  name: 'verification',
  what: 'bytes a second of a verification, against sha256sum of the same files; the memory that 250,000 files need, against a thousand',
  async run(context) {
    const many = context.quick ? 50_000 : 250_000;
    return [await speed(context), ...(await memory(context, many)), ...(await listing(context, many))];
  },
};

async function speed(context: BenchContext): Promise<Figure> {
  const folder = folderIn(context);
  const files = context.quick ? 16 : 64;
  context.say(`writing ${files} files of ${FILE_BYTES / MIB} MiB`);
  const names = writeLargeBackup(folder, { files, bytesEach: FILE_BYTES }, context.signal);
  // In a file, as they may be too many for a command.
  const list = join(folder, 'names');
  writeFileSync(list, names.join('\0'));
  const [ours, bare]: [number[], number[]] = [[], []];
  // The first round warms up.
  for (let round = 0; round < (context.quick ? 3 : 6); round += 1) {
    const { bytes, seconds } = await verify(
      { location: localAt(folder), path: PATH, level: 'bytes', env: {} },
      files,
      context.signal,
    );
    const floor = bytes / (await sha256sum(list, context.signal));
    if (round === 0) continue;
    ours.push(bytes / seconds / MIB);
    bare.push(floor / MIB);
  }
  return {
    name: 'a verification, MiB',
    value: median(ours),
    unit: '/s',
    ...against(median(ours), 'sha256sum', median(bare)),
    target: { of: 'ratio', atLeast: LEAST_SPEED },
  };
}

async function memory(context: BenchContext, many: number): Promise<Figure[]> {
  const own: number[] = [];
  for (const files of [FEW, many]) {
    const folder = folderIn(context);
    context.say(`writing ${files} files`);
    writeLargeBackup(folder, { files, bytesEach: 64 }, context.signal);
    context.say(`verifying ${files} files`);
    own.push(
      (await verify({ location: localAt(folder), path: PATH, level: 'bytes', env: {} }, files, context.signal)).ownMb,
    );
  }
  return [grown(`own memory, every byte of ${many} files`, own)];
}

async function listing(context: BenchContext, many: number): Promise<Figure[]> {
  const own: number[] = [];
  for (const files of [FEW, many]) {
    const { endpoint } = context.use(await serveLargeBackup({ files, bytesEach: 64 }));
    context.say(`verifying a bucket of ${files} objects by its list`);
    const location = {
      $case: 's3' as const,
      value: { bucket: 'backups', region: 'us-east-1', endpoint, forcePathStyle: true },
    };
    const env = { AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' };
    own.push((await verify({ location, path: PATH, level: 'meta', env }, files, context.signal)).ownMb);
  }
  return [grown(`own memory, the list of ${many} objects`, own)];
}

function grown(name: string, [few = 0, many = 0]: readonly number[]): Figure {
  return {
    name,
    value: many,
    unit: 'MB',
    ...against(many, `${FEW} files`, few),
    target: { of: 'value', atMost: MOST_MB },
  };
}

const localAt = (path: string) => ({ $case: 'local' as const, value: { path } });

function folderIn(context: BenchContext): string {
  const folder = temporaryDataFolder();
  context.use({ [Symbol.dispose]: () => removeFolder(folder) });
  return folder;
}

/** What was not found good has measured something else. */
async function verify(settings: VerifierSettings, files: number, signal: AbortSignal): Promise<Verified> {
  await using verifier = await startFloor('../verifier.ts', settings, signal);
  const verified = verifier.ready as unknown as Verified;
  if (verified.verdict !== 'good' || verified.files < files)
    throw new Error(`The backup of ${files} files was found ${verified.verdict}, with ${verified.files} files.`);
  return verified;
}

/** Seconds that it takes for the files that a list names. */
async function sha256sum(list: string, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  const child = spawn('xargs', ['-0', '-a', list, 'sha256sum'], { stdio: 'ignore', signal });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`sha256sum ended with ${code}.`);
  return (performance.now() - startedAt) / 1_000;
}
