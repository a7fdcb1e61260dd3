import type {
  ClaimLogTruncationRequest,
  ClaimLogTruncationResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { rootOf } from '../backup-path.ts';
import { truncatingIn } from '../log/decide/truncation.ts';
import { digestOf } from '../presence.ts';
import { toSnapshotMessage } from '../registry-message.ts';
import { placeOf } from '../storage-location.ts';
import { validation } from '../validate.ts';
import { checkClaimant } from './claim-task.ts';
import type { Dependencies } from './context.ts';

/**
 * Grants what is to be taken out of a log to the first worker of its pool that asks; nothing set in the answer means LOST. The cluster
 * may be registered no more.
 */
export function claimLogTruncation({ logs, truncations, registry, places, markers }: Dependencies) {
  return async (request: ClaimLogTruncationRequest, { signal }: CallContext): Promise<ClaimLogTruncationResponse> => {
    const { clusterId, claim, worker, pool } = request;
    const check = validation();
    check.id('clusterId', clusterId);
    checkClaimant(check, request);
    check.finish();

    const [cluster, known] = await Promise.all([registry.clusters.get(clusterId, signal), logs.get(clusterId, signal)]);
    const isOfPool = known && truncatingIn(known).some((one) => (cluster?.pool ?? one.pool) === pool);
    if (!isOfPool) return { grant: undefined };
    const applied = await truncations.apply(clusterId, { kind: 'claim', claim, worker }, signal);
    const answer = applied?.decision.answer;
    if (!applied || answer?.kind !== 'held') return { grant: undefined };
    const granted = truncatingIn(applied.log).find(({ n }) => n === answer.n);
    if (!granted) return { grant: undefined };
    const { storage, path, createTime, taskName, truncating } = granted;
    const today = await places.granted({ storage, basePath: path, createTime }, signal);
    const place = placeOf(today, rootOf(path));
    return {
      grant: {
        fence: BigInt(answer.fence),
        storage: toSnapshotMessage(today),
        storageDigest: digestOf(today),
        marker: { number: await markers.numberAt({ storageId: today.id, place }, signal), adopt: false },
        path,
        taskName,
        untilTs: BigInt(truncating.until ?? 0),
        clusterVersion: cluster?.version ?? '',
        requestId: truncating.requestId,
      },
    };
  };
}
