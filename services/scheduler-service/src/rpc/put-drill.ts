import { requireRevision } from '@tidemark/mongo/expected-revision';
import type { PutDrillRequest, PutDrillResponse } from '@tidemark/protocol/grpc/tidemark/scheduler/v1/drill_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { type Drill, windowAfterSave } from '../drill/decide/drill.ts';
import { toDrillMessage } from '../drill/drill-message.ts';
import { hookAfter, toAskedDrill } from '../drill/drill-request.ts';
import { requireDrillTarget, requireLog } from '../drill/target.ts';
import { drillSaved } from '../events.ts';
import type { DrillDependencies } from './drill-context.ts';

/** Saves a drill, whose target must be of no worth to anybody. Whether its hook answers shows when it runs. */
export function putDrill({ drills, backends, now }: DrillDependencies) {
  return async (
    request: PutDrillRequest,
    { caller, requestId, callId, signal }: CallContext,
  ): Promise<PutDrillResponse> => {
    const asked = toAskedDrill(request);
    const { clusterId, validateOnly = false } = request;
    const { targetClusterId } = asked;
    const options = { signal, requestId, caller };
    const { cluster } = await backends.registry.getCluster({ id: clusterId }, options);
    await requireDrillTarget(backends, { clusterId, targetClusterId }, options);
    if (asked.choose === 'pointInTime') await requireLog(backends, clusterId, options);
    const timeZone = asked.timeZone || cluster?.timeZone || 'UTC';
    const next = (before: Drill | undefined): Drill | undefined => {
      // Its answer was lost, and this is its repeat.
      if (before?.savedIn === callId) return undefined;
      requireRevision(`The drill of cluster ${clusterId}`, request.revision, before);
      const at = now();
      const settings = { ...asked, timeZone, emptyHook: hookAfter(asked, before) };
      return {
        ...settings,
        _id: clusterId,
        nextWindow: windowAfterSave(before, settings, at),
        revision: (before?.revision ?? 0) + 1,
        savedIn: callId,
        createTime: before?.createTime ?? at,
        updateTime: at,
        updatedBy: caller,
      };
    };
    if (validateOnly) {
      const before = await drills.get(clusterId, signal);
      const wouldBe = next(before) ?? before;
      return { drill: wouldBe && toDrillMessage(wouldBe) };
    }
    const saved = await drills.change(clusterId, next, signal);
    drillSaved(clusterId, targetClusterId, caller, requestId);
    return { drill: saved && toDrillMessage(saved) };
  };
}
