/** `tidemark verify`: verifies a backup in its storage, with nothing else of Tidemark running. */

import { openCrypter } from '@tidemark/backupmeta/crypter';
import { MANIFEST, type Seal, toSeal } from '@tidemark/backupmeta/seal';
import { toSentence } from '@tidemark/backupmeta/verdict';
import { type ContentReport, type Progress, verifyContent } from '@tidemark/backupmeta/verify-content';
import { AppError } from '@tidemark/errors/app-error';
import { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import { type BackupFiles, openBackupFiles } from '@tidemark/storage/backup-files';
import type { AskedToVerify } from './verify-options.ts';

export interface VerifyDependencies {
  readonly env: Env;
  /** Prints a line of the result. */
  readonly say: (line: string) => void;
  /** Shows how far it is, in place of what was shown before; '' takes that away. */
  readonly show: (line: string) => void;
  /** Aborts when nobody wants to wait any longer. */
  readonly stop: AbortSignal;
}

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** @returns whether nothing is wrong */
export async function verify(
  asked: Extract<AskedToVerify, { command: 'verify' }>,
  { env, say, show, stop }: VerifyDependencies,
): Promise<boolean> {
  const { storage, path, level, sample, bytesPerSecond, filesAtOnce, crypter, json } = asked;
  const startedAt = performance.now();
  let last: Progress | undefined;
  try {
    const files = await openBackupFiles(storage, path, env);
    const options = crypter && BrOptions.create({ crypterMethod: crypter.method, crypterKeyFile: crypter.keyFile });
    const report = await verifyContent(files, stop, {
      level,
      sample,
      seed: path,
      bytesPerSecond,
      filesAtOnce,
      decrypt: await openCrypter(options, undefined, stop),
      sealed: await readSeal(files, stop),
      onProgress(progress) {
        last = progress;
        show(toLine(progress, performance.now() - startedAt));
      },
    });
    show('');
    const seconds = (performance.now() - startedAt) / 1_000;
    if (json) say(JSON.stringify(toJson(report, seconds, sample)));
    else tell(report, seconds, sample, say);
    return report.verdict === 'good';
  } catch (error) {
    show('');
    const so = last && last.standing.files > 0 ? ` ${found(last)} until then.` : '';
    if (stop.aborted) {
      say(`Stopped before all was verified.${so}`);
      return false;
    }
    if (!(error instanceof AppError)) throw error;
    say(`The backup could not be verified: ${error.message}${so}`);
    return false;
  }
}

const found = ({ standing: { files, problemCount } }: Progress) =>
  `${files} ${files === 1 ? 'file was' : 'files were'} read, and ${problemCount === 0 ? 'nothing was wrong' : `${problemCount} found damaged`}`;

async function readSeal(files: BackupFiles, signal: AbortSignal): Promise<Seal | undefined> {
  const manifest = await files.read(MANIFEST, signal);
  return manifest && toSeal(manifest);
}

function toLine({ standing, bytesRead, bytesInAll }: Progress, tookMs: number): string {
  const percent = bytesInAll === 0 ? 100 : Math.min(100, Math.floor((100 * bytesRead) / bytesInAll));
  const left = bytesRead === 0 ? '' : `, ${duration(((bytesInAll - bytesRead) / bytesRead) * (tookMs / 1_000))} left`;
  const damaged = standing.problemCount === 0 ? '' : `, ${standing.problemCount} damaged`;
  return `${percent} %  ${size(bytesRead)} of ${size(bytesInAll)}, ${standing.files} files${damaged}${left}`;
}

function tell(report: ContentReport, seconds: number, sample: number, say: (line: string) => void): void {
  const { problems, problemCount, filesRead, bytesRead } = report;
  // Names come from the storage: what steers terminals is not passed on to this one.
  for (const { kind, why } of problems) say(`${kind.padEnd(10)}  ${why}`.replaceAll(/\p{Cc}/gu, '?'));
  if (problemCount > problems.length) say(`… and ${problemCount - problems.length} more, which are not shown.`);
  say(toSentence(report, sample));
  if (filesRead > 0) say(`${filesRead} files with ${size(bytesRead)} were read in ${duration(seconds)}.`);
}

function toJson(report: ContentReport, seconds: number, sample: number) {
  const { result, description: _, ...rest } = report;
  return {
    ...rest,
    message: toSentence(report, sample),
    sample,
    seconds: Number(seconds.toFixed(3)),
    ...(result && { tso: String(result.tso), dataFiles: Number(result.files), clusterVersion: result.clusterVersion }),
  };
}

function size(bytes: number): string {
  if (bytes >= GIB) return `${(bytes / GIB).toFixed(1)} GiB`;
  return bytes >= MIB ? `${(bytes / MIB).toFixed(1)} MiB` : `${bytes} bytes`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3_600).toFixed(1)} h`;
}
