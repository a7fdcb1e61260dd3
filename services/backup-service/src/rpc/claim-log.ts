import type { ClaimLogRequest, ClaimLogResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { mergeBrOptions } from '../br-options.ts';
import { openGeneration } from '../log/log-backup.ts';
import { toSnapshotMessage, toTargetMessage } from '../registry-message.ts';
import { validation } from '../validate.ts';
import { checkClaimant } from './claim-task.ts';
import type { Dependencies } from './context.ts';

/** Grants a look at a cluster to the first worker of its pool that asks; nothing set in the answer means LOST. */
export function claimLog({ logs, registry, places }: Dependencies) {
  return async (request: ClaimLogRequest, { signal }: CallContext): Promise<ClaimLogResponse> => {
    const { clusterId, claim, worker, pool } = request;
    const check = validation();
    check.id('clusterId', clusterId);
    checkClaimant(check, request);
    check.finish();

    const cluster = await registry.clusters.get(clusterId, signal);
    if (cluster?.pool !== pool) return { grant: undefined };
    const applied = await logs.apply(clusterId, { kind: 'claim', claim, worker }, signal);
    if (applied?.decision.answer.kind !== 'held') return { grant: undefined };
    const { log } = applied;
    const open = openGeneration(log);
    const granted =
      open &&
      (await places.granted({ storage: open.storage, basePath: open.path, createTime: open.createTime }, signal));
    const { pd, version, tls } = cluster;
    const brOptions = mergeBrOptions(cluster.brOptions, undefined);
    return {
      grant: {
        fence: BigInt(log.fence),
        target: toTargetMessage({ ...{ pd, version, pool }, ...(tls && { tls }), ...(brOptions && { brOptions }) }),
        storage: granted && toSnapshotMessage(granted),
        path: open?.path ?? '',
        taskName: open?.taskName ?? '',
        // It takes a second, and what it says may be restored from: each look reads it.
        readMetadata: open !== undefined && open.startTs !== null,
        requestId: log.requestId,
      },
    };
  };
}
