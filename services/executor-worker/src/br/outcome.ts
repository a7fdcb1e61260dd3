/**
 * Decides what a `br` that did not succeed means: by BR's code first, by its text second (br-contract.md 8.1, 8.2 and 14).
 * Pure. What is not known is tried again, a limited number of times.
 */

import type { Output } from './output.ts';
import type { BrExit } from './process.ts';

/** What is to be done about a failure, with a sentence for people and BR's own words below it. */
export interface Failure {
  readonly kind: 'permanent' | 'retry' | 'newPath' | 'wait';
  readonly code: string;
  readonly message: string;
  readonly detail: string;
  /** Until it is tried again, for `wait`, and for `retry` where that is known better than in general. */
  readonly seconds?: number;
}

interface Rule {
  readonly kind: 'permanent' | 'retry' | 'newPath';
  readonly when: RegExp;
  readonly message: string | ((found: RegExpExecArray) => string);
}

const LOCKED = /The existing lock will expire in (\d+) seconds/;
const LOCK_MARGIN_SECONDS = 5;
const CODE = /\[(BR:[A-Za-z]+:Err[A-Za-z]+)\]/;
const SHARED_MOUNT =
  'The storage must be one shared mount at the same path on the worker and on every TiKV, writable for both.';

/** br 8.5 swallows the words of TiKV: want of space and of rights look the same from here. */
const storeCouldNotWrite = ([, store = '']: RegExpExecArray) =>
  `TiKV store ${store} could not write its part of the backup, and br does not tell why. Look into the log of that TiKV at the time of this attempt (pd-ctl "store ${store}" names its address). The usual causes: no space left on its disk or on the storage, no right to write to the storage, a mount or credentials that are missing on that TiKV alone. Another try goes on where it stopped.`;

/** The first rule that fits decides; they are ordered from the particular to the general. */
const RULES: readonly Rule[] = [
  {
    kind: 'newPath',
    when: /ErrBackupChecksumMismatch/,
    message: 'The checksum of the backup did not match the cluster; another try takes the backup in a new path.',
  },
  {
    kind: 'newPath',
    when: /ErrBackupGCSafepointExceeded|cannot pass gc safe point check/,
    message: 'Garbage collection passed the snapshot of this attempt; another try starts anew in a new path.',
  },
  {
    kind: 'newPath',
    when: /hashs? of the configs are not the same/,
    message:
      'The settings changed since the last attempt, so br cannot resume it; another try starts anew in a new path.',
  },
  {
    kind: 'newPath',
    when: /backup meta file exists in|backup lock file and sst file exist in/,
    message: 'The path holds files that br cannot resume from; another try starts anew in a new path.',
  },
  {
    kind: 'permanent',
    when: /ErrVersionMismatch/,
    message: 'This br does not fit the version of the cluster: give the worker the br of the cluster’s own version.',
  },
  {
    kind: 'retry',
    when: /NOT_BOOTSTRAPPED|failed to get cluster id/,
    message: 'PD could not be reached or has no cluster yet: check that the PD addresses are right and that PD is up.',
  },
  {
    kind: 'permanent',
    when: /ErrKVClusterIDMismatch/,
    message: 'The TiKV nodes behind this PD belong to another cluster: check the PD addresses of the cluster.',
  },
  {
    kind: 'permanent',
    when: /ErrKVDiskFull|no space left on device/i,
    message: 'The disk is full: free space on the storage or on TiKV, then start the backup again.',
  },
  {
    kind: 'permanent',
    when: /File or directory not found on TiKV Node|I\/O permission denied|ErrStorageInvalidPermission/,
    message: `TiKV cannot write to the storage. ${SHARED_MOUNT}`,
  },
  {
    kind: 'retry',
    when: /error happen in store (\d+): unknown error, retried too many times/,
    message: storeCouldNotWrite,
  },
  {
    kind: 'permanent',
    when: /ErrPossibleInconsistency/,
    message:
      'BR found that the state of the cluster may be inconsistent: have the cluster looked at before you back it up again.',
  },
  {
    kind: 'permanent',
    when: /failed to get region of bucket/,
    message:
      'BR could not learn the region of the bucket: give the credentials access to it, name the storage’s region, or, for a store that is not Amazon’s, its provider.',
  },
  {
    kind: 'permanent',
    when: /credential info not found/,
    message: 'BR found no credentials for the storage: name them in the storage, and set them on the worker.',
  },
  {
    kind: 'permanent',
    when: /permission denied|read-only file system|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|NoSuchBucket|Forbidden/i,
    message: 'The storage refused access: check its permissions and credentials.',
  },
  {
    kind: 'permanent',
    when: /bucket and region are not matched|ErrStorageInvalidConfig|storage \S+ not support/,
    message: 'The storage’s settings are wrong: correct them, then start the backup again.',
  },
  {
    kind: 'permanent',
    when: /ErrInvalidArgument|unknown flag|unknown shorthand flag|ErrUndefinedDbOrTable|ErrEnvNotSpecified|ErrBackupInvalidRange|ErrInvalidRange|ErrUnsupportedOperation|ErrNotTiKVStorage|ErrInvalidMetaFile|new_collation/,
    message: 'br refused the command: correct the options of the cluster, then start the backup again.',
  },
  {
    kind: 'permanent',
    when: /wrong aes cipher|decrypt failed with wrong key/,
    message: 'The metadata could not be decrypted: it is damaged, or the key is the wrong one.',
  },
  {
    kind: 'retry',
    when: /ErrPD|ErrFailedToConnect|ErrBackupNoLeader|ErrBackupRegion|ErrBackupKeyIsLocked|ErrKVNotLeader|ErrKVEpochNotMatch|ErrKVKeyNotInRegion|resolve lock timeout|ranges done but some ranges/,
    message: 'The cluster was not ready for the backup; another try goes on where it stopped.',
  },
  {
    kind: 'retry',
    when: /schema:1146/,
    message: 'The cluster was never started with a TiDB server: start one, and another try takes the backup.',
  },
  {
    kind: 'retry',
    when: /connection refused|connection reset|timeout|Unavailable|DeadlineExceeded|SlowDown|InternalError|RequestTimeout/i,
    message: 'The network or the storage failed for a while; another try goes on where it stopped.',
  },
];

/**
 * Only where nothing else is known: one failure cancels all that `br` is about, so the text stands beside many a failure,
 * and even in the place of the first one (br-contract 8.2).
 */
const CANCELED: Rule = {
  kind: 'retry',
  when: /code = Canceled|context canceled/,
  message: 'br was told to stop by somebody other than Tidemark; another try goes on where it stopped.',
};

/** Want of memory is mostly over when `br` is, and its end was seen: nothing has to be waited for. */
const KILLED_SECONDS = 5;

/** Why `br` could not be started at all; undefined where it was. */
export function whyNotStarted(exit: BrExit, { lastLines }: Output): string | undefined {
  if (exit.error !== undefined) return exit.error;
  const told = exit.code === 127 ? lastLines.find((line) => line.startsWith('setpriv: failed to execute')) : undefined;
  return told?.slice('setpriv: '.length);
}

const UNKNOWN_CLASS = /InvalidStorageClass|storage class you specified is not valid/i;

/** What is known of the backup beside its run. */
export interface RunFacts {
  /** How often the backup failed before this run. */
  readonly failures?: number;
  /** The class or tier that its storage names for backups; empty where it names none. */
  readonly storageClass?: string;
}

/** What to do about a run that was not a success. */
export function classifyFailure(
  exit: BrExit,
  output: Output,
  { failures = 0, storageClass = '' }: RunFacts = {},
): Failure {
  const detail = output.error || output.errorLines.join('\n') || output.lastLines.slice(-20).join('\n');
  const notStarted = whyNotStarted(exit, output);
  if (notStarted !== undefined)
    return {
      kind: 'permanent',
      code: 'BR_NOT_STARTED',
      message: `br could not be started (${notStarted}): check the worker’s TIDEMARK_BR.`,
      detail,
    };
  const evidence = [output.error, ...output.errorLines].join('\n');
  const lock = LOCKED.exec(evidence);
  if (lock)
    return {
      kind: 'wait',
      code: 'PATH_LOCKED',
      message: 'Another br may still be at work in this path; its lock is waited out.',
      detail,
      seconds: Number(lock[1]) + LOCK_MARGIN_SECONDS,
    };
  if (UNKNOWN_CLASS.test(evidence))
    return {
      kind: 'permanent',
      code: 'STORAGE_CLASS',
      message: `The store does not know the storage class "${storageClass}": correct the storage, then start the backup again.`,
      detail,
    };
  const rule =
    RULES.find(({ when }) => when.test(output.error)) ??
    RULES.find(({ when }) => when.test(evidence)) ??
    [CANCELED].find(({ when }) => when.test(output.error || evidence));
  const code = CODE.exec(output.error)?.[1] ?? CODE.exec(evidence)?.[1];
  if (rule)
    return { kind: rule.kind, code: code ?? 'BR_FAILED', message: messageOf(rule, output.error, evidence), detail };
  if (exit.code === 0)
    return {
      kind: 'permanent',
      code: 'BR_DID_NOTHING',
      message: 'br ended without an error but also without a backup: is the configured program really br?',
      detail,
    };
  if (exit.signal === 'SIGKILL')
    return {
      kind: 'retry',
      code: 'BR_KILLED',
      message: 'br was killed by SIGKILL, most often for want of memory; another try goes on where it stopped.',
      detail,
      ...(failures === 0 && { seconds: KILLED_SECONDS }),
    };
  if (exit.signal !== undefined || exit.code === undefined)
    return {
      kind: 'retry',
      code: 'BR_KILLED',
      message: exit.signal
        ? `br was ended by ${exit.signal}, which did not come from Tidemark; another try goes on where it stopped.`
        : 'br ended, and nobody saw how; another try goes on where it stopped.',
      detail,
    };
  return {
    kind: 'retry',
    code: code ?? 'BR_FAILED',
    message: `br failed with exit code ${exit.code} for a reason that Tidemark does not know; it is tried again.`,
    detail,
  };
}

function messageOf({ when, message }: Rule, ...texts: readonly string[]): string {
  if (typeof message === 'string') return message;
  for (const text of texts) {
    const found = when.exec(text);
    if (found) return message(found);
  }
  return '';
}
