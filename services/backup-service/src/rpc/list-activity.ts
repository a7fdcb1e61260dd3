import { MAX_FLEET_PAGE, MAX_WORKER_SENTENCE } from '@tidemark/limits/limits';
import {
  ClusterActivity,
  type ListActivityRequest,
  type ListActivityResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readable } from '@tidemark/service-kit/quarantine';
import { type Backup, isActive } from '../backup.ts';
import { toListedMessage } from '../backup-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** What runs in each of some clusters, and what ended there last. What cannot be read is left out. */
export function listActivity({ finished, slots, quarantines, now }: Dependencies) {
  return async ({ clusterIds }: ListActivityRequest, { signal }: CallContext): Promise<ListActivityResponse> => {
    const check = validation();
    check.require(clusterIds.length <= MAX_FLEET_PAGE, 'clusterIds', `must be at most ${MAX_FLEET_PAGE}`);
    check.finish();
    const latest = await finished.latestOf([...new Set(clusterIds)], signal);
    const positions = await slots.positions(latest, now(), signal);
    const toActivity = (backup: Backup) => activityOf(backup, positions.get(backup._id));
    const shown = readable(quarantines.listedBackups, latest, toActivity, ClusterActivity);
    const byCluster = Map.groupBy(
      shown.map(({ message }) => message),
      ({ clusterId }) => clusterId,
    );
    return {
      clusters: [...byCluster].map(([clusterId, activities]) => ({
        clusterId,
        active: activities.find(({ active }) => active)?.active,
        last: activities.find(({ last }) => last)?.last,
      })),
    };
  };
}

function activityOf(backup: Backup, queuePosition: number | undefined): ClusterActivity {
  const {
    id: backupId,
    clusterId,
    state,
    startTime,
    endTime,
    progress,
    reason,
    ...message
  } = toListedMessage(backup, queuePosition);
  if (isActive(backup))
    return {
      clusterId,
      active: { backupId, state, startTime, progress, queuePosition: message.queuePosition },
      last: undefined,
    };
  const told = reason && { ...reason, detail: '', message: reason.message.slice(0, MAX_WORKER_SENTENCE) };
  return { clusterId, active: undefined, last: { backupId, state, endTime, reason: told } };
}
