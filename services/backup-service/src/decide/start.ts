import { plus } from '@tidemark/task/time';
import type { Backup } from '../backup.ts';
import { clusterKey, firstTask, ownKey } from './vocabulary.ts';

/** What was accepted: the request, and the cluster and storage as they were then. */
export interface Acceptance
  extends Pick<
    Backup,
    '_id' | 'request' | 'createdBy' | 'clusterId' | 'mode' | 'origin' | 'rule' | 'target' | 'storage' | 'path'
  > {
  readonly acceptedAt: Date;
  /** From the request to the moment the backup is given up. */
  readonly deadlineMs: number;
}

/** The document of a new backup: Queued, occupying its cluster, and rung for at once. */
export function start({ acceptedAt, deadlineMs, path, ...accepted }: Acceptance): Backup {
  return {
    ...accepted,
    type: 'full',
    method: 'physical',
    basePath: path,
    path,
    leftovers: [],
    state: 'Queued',
    activeKey: clusterKey(accepted.clusterId),
    slotKey: ownKey(accepted),
    deadline: plus(acceptedAt, deadlineMs),
    fence: 0,
    task: firstTask('backup', acceptedAt),
    progress: null,
    result: null,
    reason: null,
    failures: 0,
    losses: 0,
    attempts: [],
    cancel: null,
    deletion: { state: 'None' },
    holds: [],
    startTime: acceptedAt,
    endTime: null,
    createTime: acceptedAt,
    updateTime: acceptedAt,
    deleteTime: null,
    revision: 1,
    schemaVersion: 1,
  };
}
