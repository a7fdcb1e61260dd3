import { createHash } from 'node:crypto';
import type { RunDrillRequest, RunDrillResponse } from '@tidemark/protocol/grpc/tidemark/scheduler/v1/drill_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { freshRun } from '../drill/decide/run.ts';
import { toRunMessage } from '../drill/drill-message.ts';
import { drillCame } from '../events.ts';
import { type DrillDependencies, noDrill } from './drill-context.ts';

/** How long a run that somebody asked for waits for its target. */
const OPEN_MS = 3_600_000;

/** Writes down a run; the loop of any copy takes it up. */
export function runDrill({ drills, now }: DrillDependencies) {
  return async (
    { clusterId, key }: RunDrillRequest,
    { caller, callId, signal }: CallContext,
  ): Promise<RunDrillResponse> => {
    const id = askedRunId(clusterId, caller, key || callId);
    const known = await drills.getRun(id, signal);
    if (known) return { run: toRunMessage(known) };
    const drill = await drills.get(clusterId, signal);
    if (!drill) throw noDrill(clusterId);
    const at = now();
    const window = { id, opensAt: at, closesAt: new Date(at.getTime() + OPEN_MS), byHand: true };
    const run = freshRun(drill, window, at);
    if (await drills.insertRun(run)) drillCame(run);
    return { run: toRunMessage((await drills.getRun(id, signal)) ?? run) };
  };
}

function askedRunId(clusterId: string, caller: string, key: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([caller, key]))
    .digest()
    .subarray(0, 16);
  return `${clusterId}:asked-${hash.toString('base64url')}`;
}
