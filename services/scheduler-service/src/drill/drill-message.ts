/** Drills, their runs and proofs as people are told of them. */
import {
  DrillChoice as ChoiceMessage,
  Drill as DrillMessage,
  type DrillProof as ProofMessage,
  DrillRun as RunMessage,
  DrillRunState as RunStateMessage,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/drill_service';
import type { Drill, DrillChoice } from './decide/drill.ts';
import type { DrillRun, DrillRunState } from './decide/run.ts';
import type { DrillProof } from './drill-store.ts';

export const CHOICES = {
  newest: ChoiceMessage.DRILL_CHOICE_NEWEST,
  random: ChoiceMessage.DRILL_CHOICE_RANDOM,
  pointInTime: ChoiceMessage.DRILL_CHOICE_POINT_IN_TIME,
} as const satisfies Record<DrillChoice, ChoiceMessage>;

export const RUN_STATES = {
  Pending: RunStateMessage.DRILL_RUN_STATE_PENDING,
  Running: RunStateMessage.DRILL_RUN_STATE_RUNNING,
  Succeeded: RunStateMessage.DRILL_RUN_STATE_SUCCEEDED,
  Failed: RunStateMessage.DRILL_RUN_STATE_FAILED,
  Skipped: RunStateMessage.DRILL_RUN_STATE_SKIPPED,
  Missed: RunStateMessage.DRILL_RUN_STATE_MISSED,
} as const satisfies Record<DrillRunState, RunStateMessage>;

export function toDrillMessage(drill: Drill): DrillMessage {
  const { _id, targetClusterId, days, period, timeZone, paused, choose, emptyHook, nextWindow } = drill;
  return DrillMessage.create({
    ...{ clusterId: _id, targetClusterId, days: [...days], period, timeZone, paused, choose: CHOICES[choose] },
    emptyHook: emptyHook
      ? {
          url: emptyHook.url,
          secrets: {
            source:
              emptyHook.secrets.kind === 'file'
                ? { $case: 'file', value: emptyHook.secrets.file }
                : { $case: 'envPrefix', value: emptyHook.secrets.prefix },
          },
        }
      : undefined,
    nextTime: nextWindow?.opensAt,
    revision: BigInt(drill.revision),
    updateTime: drill.updateTime,
    updatedBy: drill.updatedBy,
  });
}

export function toRunMessage(run: DrillRun): RunMessage {
  const { _id, clusterId, targetClusterId, state, opensAt, closesAt, byHand, choose, backupId, restoreId } = run;
  const { seconds, code, reason } = run;
  return RunMessage.create({
    ...{ id: _id, clusterId, targetClusterId, opensAt, closesAt, byHand, seconds, code, reason },
    state: RUN_STATES[state],
    choose: CHOICES[choose],
    backupId: backupId ?? '',
    backupTime: run.backupTime ?? undefined,
    restoreId: restoreId ?? '',
    emptiedTime: run.emptiedAt ?? undefined,
    startTime: run.startTime ?? undefined,
    endTime: run.endTime ?? undefined,
    decidedTime: run.decidedAt ?? undefined,
    pointTime: run.pointAt ?? undefined,
  });
}

export function toProofMessage({ time, seconds, backupId, restoreId, pointAt }: DrillProof): ProofMessage {
  return { time, seconds, backupId, restoreId, pointTime: pointAt ?? undefined };
}
