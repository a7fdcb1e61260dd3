/**
 * Verifies a backup in its storage, from where the worker before got to.
 *
 * What a storage says is believed only while it is known to be the storage: a share that goes shows no file any more, and
 * nothing of that is a finding. So what is not there is looked for twice, and a standing with something new that is wrong is confirmed before it is reported, and the
 * end, too.
 */
import { metadataLimit } from '@tidemark/backupmeta/backupmeta';
import {
  AT_THE_START,
  type ContentReport,
  type Problem,
  type Progress,
  type Standing,
} from '@tidemark/backupmeta/content-report';
import type { Decrypt } from '@tidemark/backupmeta/crypter';
import { readPublicKey, type SignatureState } from '@tidemark/backupmeta/signature';
import { toSentence } from '@tidemark/backupmeta/verdict';
import { verifyStored } from '@tidemark/backupmeta/verify-stored';
import { MAX_PROBLEM_TEXT } from '@tidemark/limits/limits';
import {
  SignatureState as SignatureMessage,
  VerificationLevel,
  type VerificationProblem,
  type VerificationProgress,
  VerificationState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type VerificationGrant,
  VerificationStanding,
  type Verified,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Env } from '@tidemark/service-kit/env';
import type { StorageFiles } from '@tidemark/storage/storage-files';
import { requireSoundPlace } from './br/check-grant.ts';
import { log } from './logger.ts';
import { knownFilesIn, openKnownStorage, requireKnown, rootOf } from './storage/marker.ts';
import type { Reached } from './verification-lease.ts';

export interface VerifyTask {
  /** Does the work. @throws AppError as `verifyStored` and `openKnownStorage`; the reason of the signal */
  run(decrypt: Decrypt, signal: AbortSignal): Promise<Verified>;
  /** How far it is, as far as that is confirmed. */
  reached(): Promise<Reached>;
}

export interface VerifyTaskOptions {
  /** Of this worker. */
  readonly env: Env;
  /** How much of `backupmeta` and of each file of metadata is read. */
  readonly metadataBytes: number;
}

const MIB = 2 ** 20;
const CONFIRM_MS = 5_000;

const STATES = {
  good: VerificationState.VERIFICATION_STATE_GOOD,
  damaged: VerificationState.VERIFICATION_STATE_DAMAGED,
  absent: VerificationState.VERIFICATION_STATE_DAMAGED,
  incomplete: VerificationState.VERIFICATION_STATE_UNKNOWN,
} as const satisfies Record<ContentReport['verdict'], VerificationState>;

const SIGNATURES = {
  good: SignatureMessage.SIGNATURE_STATE_GOOD,
  none: SignatureMessage.SIGNATURE_STATE_NONE,
  unknownKey: SignatureMessage.SIGNATURE_STATE_UNKNOWN_KEY,
  wrong: SignatureMessage.SIGNATURE_STATE_WRONG,
} as const satisfies Record<SignatureState, SignatureMessage>;

/** A verification that was granted. */
export function createVerifyTask(grant: VerificationGrant, options: VerifyTaskOptions): VerifyTask {
  const { storage, path, marker, sample } = grant;
  const known = { storage, marker, root: rootOf(path) };
  const from = grant.standing ? fromMessage(grant.standing) : AT_THE_START;
  let stored: StorageFiles | undefined;
  let last: Progress | undefined;
  let confirmed = from;

  const isStillKnown = async (): Promise<boolean> => {
    try {
      if (stored) await requireKnown(known, stored, { signal: AbortSignal.timeout(CONFIRM_MS) });
      return true;
    } catch (error) {
      log.debug({ error, path }, 'what was found last is not reported: the storage may not be the known one any more');
      return false;
    }
  };

  return {
    async run(decrypt, signal) {
      requireSoundPlace({ storage, path });
      stored = await openKnownStorage(known, options.env, { signal });
      const files = await knownFilesIn(known, stored, path);
      const keys = grant.manifestKeys.flatMap((pem) => readPublicKey(pem) ?? []);
      const { report, manifest } = await verifyStored({ files, path, keys }, signal, {
        level: grant.level === VerificationLevel.VERIFICATION_LEVEL_META ? 'meta' : 'bytes',
        sample,
        seed: path,
        bytesPerSecond: grant.rateLimit > 0 ? grant.rateLimit * MIB : undefined,
        decrypt,
        limit: metadataLimit(options.metadataBytes),
        from,
        onProgress(progress) {
          last = progress;
        },
      });
      if (report.problemCount > 0) await requireKnown(known, stored, { signal });
      return {
        state: STATES[report.verdict],
        verdict: toSentence(report, sample),
        problems: report.problems.map(toProblemMessage),
        problemCount: BigInt(report.problemCount),
        signature: { state: SIGNATURES[manifest.signature], keyId: manifest.keyId ?? '' },
        progress: {
          bytesRead: BigInt(report.bytesRead),
          bytesInAll: BigInt(report.bytesRead),
          files: BigInt(report.filesRead),
        },
      };
    },
    async reached() {
      const now = last;
      const { standing = from } = now ?? {};
      const isNew = standing.problemCount > confirmed.problemCount;
      if (!isNew || (await isStillKnown())) confirmed = standing;
      const isAtStart = confirmed === AT_THE_START;
      return { standing: isAtStart ? undefined : toMessage(confirmed), progress: now && toProgress(now) };
    },
  };
}

function toProgress({ standing, bytesRead, bytesInAll }: Progress): VerificationProgress {
  return { bytesRead: BigInt(bytesRead), bytesInAll: BigInt(bytesInAll), files: BigInt(standing.files) };
}

const cut = (text: string) => text.slice(0, MAX_PROBLEM_TEXT).toWellFormed();

function toProblemMessage({ kind, name, why }: Problem): VerificationProblem {
  return { kind, name: cut(name), why: cut(why) };
}

function toMessage({ next, files, bytes, problems, problemCount }: Standing): VerificationStanding {
  return VerificationStanding.create({
    next: BigInt(next),
    files: BigInt(files),
    bytes: BigInt(bytes),
    problems: problems.map((problem) => ({ problem: toProblemMessage(problem), found: problem.found ?? '' })),
    problemCount: BigInt(problemCount),
  });
}

const KINDS = [
  'missing',
  'size',
  'content',
  'swapped',
  'key',
  'unreadable',
  'tampered',
  'unsigned',
  'unknownKey',
  'signature',
] as const satisfies readonly Problem['kind'][];

function fromMessage({ next, files, bytes, problems, problemCount }: VerificationStanding): Standing {
  return {
    next: Number(next),
    files: Number(files),
    bytes: Number(bytes),
    problems: problems.flatMap(({ problem, found }) => {
      if (!problem) return [];
      const kind = KINDS.find((one) => one === problem.kind) ?? 'unreadable';
      return [{ kind, name: problem.name, why: problem.why, ...(found !== '' && { found }) }];
    }),
    problemCount: Number(problemCount),
  };
}
