/** `tidemark verify`: verifies a backup in its storage, with nothing else of Tidemark running. */

import type { KeyObject } from 'node:crypto';
import type { ContentReport, Progress } from '@tidemark/backupmeta/content-report';
import { openCrypter } from '@tidemark/backupmeta/crypter';
import { type JudgedManifest, readPublicKey } from '@tidemark/backupmeta/signature';
import { toSentence } from '@tidemark/backupmeta/verdict';
import { verifyStored } from '@tidemark/backupmeta/verify-stored';
import { AppError } from '@tidemark/errors/app-error';
import { MAX_SECRET_FILE_BYTES } from '@tidemark/limits/limits';
import { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { readFileWithinSync, whyUnread } from '@tidemark/service-kit/bounded-read';
import type { Env } from '@tidemark/service-kit/env';
import { type BackupFiles, openBackupFiles } from '@tidemark/storage/backup-files';
import { UsageError } from './exit.ts';
import { duration, size } from './text.ts';
import type { Wanted } from './verify-options.ts';

export interface VerifyDependencies {
  readonly env: Env;
  /** Prints a line of the result. */
  readonly say: (line: string) => void;
  /** Prints a line about what was asked for. */
  readonly tell: (line: string) => void;
  /** Shows how far it is, in place of what was shown before; '' takes that away. */
  readonly show: (line: string) => void;
  /** Aborts when nobody wants to wait any longer. */
  readonly stop: AbortSignal;
}

/** The exit code: nothing is wrong, something is, or it could not be verified. */
const CODES = { good: 0, damaged: 1, absent: 1, incomplete: 2 } as const satisfies Record<
  ContentReport['verdict'],
  number
>;
const NOT_VERIFIED = 2;
const PUBLIC_KEY = /-----BEGIN PUBLIC KEY-----[\s\S]+?-----END PUBLIC KEY-----/g;

/** @returns the exit code */
export async function verify(wanted: Wanted, { env, say, tell, show, stop }: VerifyDependencies): Promise<number> {
  const { storage, path, level, sample, bytesPerSecond, filesAtOnce, crypter, publicKeys, json } = wanted;
  let keys: KeyObject[];
  try {
    keys = publicKeys.flatMap(readKeys);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    tell(error.message);
    return error.exitCode;
  }
  const startedAt = performance.now();
  let last: Progress | undefined;
  try {
    const files = await openBackupFiles(storage, path, env);
    const options = crypter && BrOptions.create({ crypterMethod: crypter.method, crypterKeyFile: crypter.keyFile });
    const { report, manifest } = await verifyStored({ files, path, keys }, stop, {
      level,
      sample,
      seed: path,
      bytesPerSecond,
      filesAtOnce,
      decrypt: await openCrypter(options, undefined, stop),
      onProgress(progress) {
        last = progress;
        show(toLine(progress, performance.now() - startedAt));
      },
    });
    show('');
    if (report.verdict === 'absent' && !(await hasAny(files, stop))) {
      say(
        `Nothing lies at ${path}: is that the path of a backup${storage.location?.$case === 'local' ? ', and is the share mounted' : ''}?`,
      );
      return NOT_VERIFIED;
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    if (json) say(JSON.stringify(toJson(report, manifest, seconds, sample)));
    else tellReport(report, manifest, seconds, sample, say);
    return CODES[report.verdict];
  } catch (error) {
    show('');
    const so = last && last.standing.files > 0 ? ` ${found(last)} until then.` : '';
    if (stop.aborted) {
      say(`Stopped before all was verified.${so}`);
      return NOT_VERIFIED;
    }
    if (!(error instanceof AppError)) throw error;
    say(`The backup could not be verified: ${error.message}${so}`);
    return NOT_VERIFIED;
  }
}

async function hasAny(files: Pick<BackupFiles, 'list'>, stop: AbortSignal): Promise<boolean> {
  for await (const _ of files.list(stop)) return true;
  return false;
}

const found = ({ standing: { files, problemCount } }: Progress) =>
  `${files} ${files === 1 ? 'file was' : 'files were'} read, and ${problemCount === 0 ? 'nothing was wrong' : `${problemCount} found damaged`}`;

function readKeys(file: string): KeyObject[] {
  const content = read(file);
  const keys = (content.match(PUBLIC_KEY) ?? []).flatMap((pem) => readPublicKey(pem) ?? []);
  if (keys.length > 0) return keys;
  throw new UsageError(
    `--public-key names ${file}, which holds no public Ed25519 key in PEM form (openssl pkey -in manifest.key -pubout). verify --help tells the rest.`,
  );
}

function read(file: string): string {
  try {
    return readFileWithinSync(file, MAX_SECRET_FILE_BYTES).toString('utf8');
  } catch (error) {
    throw new UsageError(`--public-key names ${file}, which ${whyUnread(error)}. verify --help tells the rest.`);
  }
}

function toLine({ standing, bytesRead, bytesInAll }: Progress, tookMs: number): string {
  const percent = bytesInAll === 0 ? 100 : Math.min(100, Math.floor((100 * bytesRead) / bytesInAll));
  const left = bytesRead === 0 ? '' : `, ${duration(((bytesInAll - bytesRead) / bytesRead) * (tookMs / 1_000))} left`;
  const damaged = standing.problemCount === 0 ? '' : `, ${standing.problemCount} damaged`;
  return `${percent} %  ${size(bytesRead)} of ${size(bytesInAll)}, ${standing.files} files${damaged}${left}`;
}

function tellReport(
  report: ContentReport,
  { signature, keyId }: JudgedManifest,
  seconds: number,
  sample: number,
  say: (line: string) => void,
): void {
  const { problems, problemCount, filesRead, bytesRead } = report;
  for (const { kind, why } of problems) say(`${kind.padEnd(10)}  ${why}`);
  if (problemCount > problems.length) say(`… and ${problemCount - problems.length} more, which are not shown.`);
  say(toSentence(report, sample));
  if (signature === 'good') say(`tidemark.json is signed with the key ${keyId}.`);
  if (signature === 'unknownKey' && problems.every(({ kind }) => kind !== 'unknownKey'))
    say(
      `tidemark.json bears a signature of the key ${keyId}, which was not verified: --public-key names a file that holds it.`,
    );
  if (filesRead > 0) say(`${filesRead} files with ${size(bytesRead)} were read in ${duration(seconds)}.`);
}

function toJson(report: ContentReport, { keyId }: JudgedManifest, seconds: number, sample: number) {
  const { result, description: _, ...rest } = report;
  return {
    ...rest,
    message: toSentence(report, sample),
    ...(keyId !== undefined && { keyId }),
    sample,
    seconds: Number(seconds.toFixed(3)),
    ...(result && { tso: String(result.tso), dataFiles: Number(result.files), clusterVersion: result.clusterVersion }),
  };
}
