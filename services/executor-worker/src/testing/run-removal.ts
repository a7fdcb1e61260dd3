import type { StorageMarker } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import type { Outcome, TaskCompletion } from '../completion.ts';
import type { Lease } from '../lease-keeper.ts';
import { runRemoveTask } from '../remove-task.ts';

/**
 * Runs a granted removal; answers what backup-service is told.
 *
 * @param marker of a backup-service that takes tasks back
 * @param announced runs before the first file of a path goes
 */
export async function runRemoval(
  storage: Storage,
  paths: string[],
  env: Env,
  marker?: StorageMarker,
  announced: () => void = () => undefined,
): Promise<Outcome> {
  const { signal } = new AbortController();
  let told: Outcome;
  const lease: Lease = {
    lost: signal,
    canceling: signal,
    report: () => undefined,
    waitsFor: () => undefined,
    estimates: () => undefined,
    renewNow: () => undefined,
    announce: async () => undefined,
    announceRemoval: async () => announced(),
    guardWith: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  const completion: Pick<TaskCompletion, 'complete' | 'release'> = {
    async complete(_task, outcome) {
      told = outcome;
      return 'held';
    },
    release: async () => 'held',
  };
  const grant = {
    fence: 1n,
    clusterId: 'c1',
    storage,
    paths,
    requestId: 'r',
    storageDigest: marker ? 'd' : '',
    marker,
  };
  const task = { backupId: 'b', claim: 'c', fence: 1n };
  const facts = { requestId: 'r', backupId: 'b', clusterId: 'c1' };
  await runRemoveTask({ task, grant, facts, lease }, { completion, drain: signal, env });
  return told;
}
