import { MAX_NAME, MAX_OF_A_WORKER, MAX_TOLD_SECONDS, MAX_WORKER_SENTENCE } from '@tidemark/limits/limits';
import type {
  ReportPresenceRequest,
  ReportPresenceResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { plus } from '@tidemark/task/time';
import { fromReasonMessage } from '../backup-message.ts';
import { presenceNotKept } from '../events.ts';
import { isPool, validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

const SHORTEST_INSTANCE = 16;

const seconds = (number: number) => (number > 0 ? Math.min(number, MAX_TOLD_SECONDS) * 1_000 : 0);
const cut = (text: string) => text.slice(0, MAX_NAME);

/** Keeps what a worker reports of itself; answers which checks and verifications wait for it. */
export function reportPresence({ presences, checks, verifications, now }: Dependencies) {
  return async (request: ReportPresenceRequest, { signal }: CallContext): Promise<ReportPresenceResponse> => {
    const { worker, instance, pool, slots, freeSlots, draining } = request;
    const check = validation();
    check.require(worker !== '' && worker.length <= MAX_NAME, 'worker', `must be 1 to ${MAX_NAME} characters`);
    check.require(
      instance.length >= SHORTEST_INSTANCE && instance.length <= MAX_NAME,
      'instance',
      `must be ${SHORTEST_INSTANCE} to ${MAX_NAME} characters`,
    );
    check.require(isPool(pool), 'pool', 'must be the name of a pool of workers');
    check.finish();

    const at = now();
    const kept = await presences.report(
      {
        _id: instance,
        worker,
        host: cut(request.host),
        pool,
        slots,
        freeSlots: Math.min(freeSlots, slots),
        draining,
        brVersions: request.brVersions.slice(0, MAX_OF_A_WORKER).map(cut),
        running: request.running.slice(0, MAX_OF_A_WORKER).map((one) => ({
          kind: cut(one.kind),
          id: cut(one.id),
          clusterId: cut(one.clusterId),
          since: plus(at, -seconds(one.seconds)),
        })),
        outOfReach: request.outOfReach.slice(0, MAX_OF_A_WORKER).map((one) => {
          const { code, message } = fromReasonMessage(one.reason);
          return {
            storageId: cut(one.storageId),
            digest: cut(one.storageDigest),
            passing: one.passing,
            reason: { code: cut(code), message: message.slice(0, MAX_WORKER_SENTENCE) },
            since: plus(at, -seconds(one.seconds)),
          };
        }),
      },
      signal,
    );
    if (!kept) presenceNotKept(worker, pool);
    if (draining) return { checkIds: [], verificationIds: [] };
    const outOfReach = request.outOfReach.map(({ storageDigest }) => storageDigest);
    const [checkIds, verificationIds] = await Promise.all([
      checks.wantedFrom({ instance, pool }, signal),
      request.freeToVerify ? verifications.wantedFrom({ pool, outOfReach }, signal) : [],
    ]);
    return { checkIds, verificationIds };
  };
}
