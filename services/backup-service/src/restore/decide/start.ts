import { plus } from '@tidemark/task/time';
import { clusterKey } from '../../decide/vocabulary.ts';
import type { Restore } from '../restore.ts';
import { firstTask, ownKey } from './vocabulary.ts';

/** How often a restore goes on by itself after a failure or a loss. */
const RESUMES = 2;

/** What was accepted: the request, the backup and the cluster as they were then, and the command line. */
export interface AcceptedRestore
  extends Pick<Restore, '_id' | 'request' | 'createdBy' | 'source' | 'target' | 'plan' | 'options'> {
  readonly acceptedAt: Date;
  /** From the request to the moment the restore is given up, if nobody runs it. */
  readonly deadlineMs: number;
}

/** The document of a new restore: it occupies its target, and its source is to be held before anything else (R2). */
export function startRestore({ acceptedAt, deadlineMs, ...accepted }: AcceptedRestore): Restore {
  return {
    ...accepted,
    kind: 'restore',
    brVersion: null,
    argv: null,
    hasCheckpoint: null,
    held: false,
    state: 'Queued',
    targetState: 'Untouched',
    needsCleaning: false,
    needsConfirm: false,
    outcomeUnknown: false,
    checksums: null,
    spoilt: false,
    resumable: false,
    reason: null,
    activeKey: clusterKey(accepted.target.clusterId),
    slotKey: ownKey(accepted),
    basePath: ownKey(accepted),
    deadline: plus(acceptedAt, deadlineMs),
    fence: 0,
    task: firstTask('restore', acceptedAt),
    resumesLeft: RESUMES,
    lastBrEnd: null,
    quietUntil: null,
    attempts: [],
    cancels: [],
    resumes: [],
    released: null,
    progress: null,
    result: null,
    startTime: acceptedAt,
    endTime: null,
    createTime: acceptedAt,
    updateTime: acceptedAt,
    revision: 1,
    schemaVersion: 1,
  };
}
