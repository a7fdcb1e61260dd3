/** Keeps the lease of one claimed restore, as `lease-keeper` does for tasks of backups (K1 to K4). */
import { hostname } from 'node:os';
import { toCollectionMessage } from '@tidemark/br-restore/look-message';
import type { Progress } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type ExecutorServiceServer,
  type RenewRestoreResponse,
  type RestoreRef,
  type RestoreStarting,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { RestoreState } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import { type RestoreTaskFacts, renewalFailed, restoreWaits } from '../events.ts';
import { announceStart } from '../lease-keeper.ts';
import { startRenewal } from '../renewal.ts';
import type { RestoreLease } from './task.ts';

export interface KeptRestoreLease extends RestoreLease, AsyncDisposable {
  /** Renews now: somebody says that the restore changed. */
  renewNow(): void;
}

export interface RestoreLeaseOptions {
  readonly client: Pick<ServiceClient<ExecutorServiceServer>, 'renewRestore'>;
  readonly restore: RestoreRef;
  readonly facts: RestoreTaskFacts;
  readonly timing: Pick<Timing, 'renewMs' | 'callMs' | 'spawnMs'>;
}

/** Starts renewing. */
export function keepRestoreLease({ client, restore, facts, timing }: RestoreLeaseOptions): KeptRestoreLease {
  const lost = new AbortController();
  const canceling = new AbortController();
  let progress: Progress | undefined;
  let keepAlive: () => void = () => undefined;

  const renew = async (starting?: RestoreStarting): Promise<RenewRestoreResponse> => {
    const sent = progress;
    progress = undefined;
    try {
      const answer = await client.renewRestore(
        { restore, progress: sent, starting },
        { timeoutMs: timing.callMs, requestId: facts.requestId },
      );
      if (answer.standing === TaskStanding.TASK_STANDING_LOST) lost.abort(new Error('the restore was lost'));
      else keepAlive();
      if (answer.state === RestoreState.RESTORE_STATE_CANCELING) canceling.abort(new Error('the restore is canceled'));
      return answer;
    } catch (error) {
      progress ??= sent;
      throw error;
    }
  };
  const onFailed = (error: unknown) => renewalFailed(facts, error);
  const renewal = startRenewal({
    renewMs: timing.renewMs,
    renew: async () => void (await renew()),
    lost: lost.signal,
    onFailed,
  });

  return {
    lost: lost.signal,
    canceling: canceling.signal,
    report(next) {
      progress = next;
      renewal.soon();
    },
    waitsFor(stall) {
      const { code, message } = stall?.() ?? {};
      if (code !== undefined && message !== undefined) restoreWaits(facts, code, message);
    },
    renewNow: renewal.now,
    announce: ({ argv, brVersion, hasCheckpoint, collection }) =>
      announceStart(renewal, {
        spawnMs: timing.spawnMs,
        async announce() {
          const starting = {
            ...{ argv: [...argv], brVersion, hasCheckpoint, host: hostname() },
            collection: collection && toCollectionMessage(collection),
          };
          const { standing, mayStart } = await renew(starting);
          return standing === TaskStanding.TASK_STANDING_HELD && mayStart;
        },
        onFailed,
      }),
    guardWith(listener) {
      keepAlive = listener;
      listener();
    },
    [Symbol.asyncDispose]: () => renewal[Symbol.asyncDispose](),
  };
}
