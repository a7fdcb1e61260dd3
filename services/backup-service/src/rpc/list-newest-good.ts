import { MAX_ENTRIES } from '@tidemark/limits/limits';
import {
  GoodBackup,
  LastBackup,
  type ListNewestGoodRequest,
  type ListNewestGoodResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { toStateMessage } from '../backup-message.ts';
import type { Standing, GoodBackup as StoredGoodBackup, VerifiedBackup } from '../finished-backups.ts';
import { snapshotTime } from '../snapshot-time.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** The newest good backup of each cluster that has one that can be read, and how its last one ended: as many as fit, and the rest under a token, a cluster's id. */
export function listNewestGood({ finished, quarantines }: Dependencies) {
  return async (
    { clusterIds, pageToken }: ListNewestGoodRequest,
    { signal }: CallContext,
  ): Promise<ListNewestGoodResponse> => {
    const check = validation();
    check.require(clusterIds.length <= MAX_ENTRIES, 'clusterIds', `must be at most ${MAX_ENTRIES}`);
    for (const clusterId of clusterIds.slice(0, MAX_ENTRIES)) check.id('clusterId', clusterId);
    const asked = [...new Set(clusterIds)];
    const done = asked.indexOf(pageToken) + 1;
    check.require(
      pageToken === '' || done > 0,
      'pageToken',
      'must be the nextPageToken of the answer before, or empty',
    );
    check.finish();
    const [standings, verified] = await Promise.all([
      finished.standingsOf(asked.slice(done), signal),
      finished.newestVerifiedOf(asked.slice(done), signal),
    ]);
    const verifiedOf = new Map(verified.map((backup) => [backup.clusterId, backup]));
    const toMessage = (backup: StoredGoodBackup) => messageOf(backup, verifiedOf.get(backup.clusterId));
    const found = standings.flatMap(({ newest }) => newest ?? []);
    const messages = readable(quarantines.newestGood, found, toMessage, GoodBackup).map(({ message }) => message);
    const backups = fitting(messages, GoodBackup);
    const ended = done > 0 ? [] : standings.flatMap(({ last }) => last ?? []);
    return {
      backups,
      nextPageToken: (backups.length < messages.length && backups.at(-1)?.clusterId) || '',
      last: readable(quarantines.lastBackups, ended, toLast, LastBackup).map(({ message }) => message),
    };
  };
}

function toLast({ clusterId, state, endTime }: NonNullable<Standing['last']>): LastBackup {
  return { clusterId, state: toStateMessage(state), endTime: endTime ?? undefined };
}

function messageOf(backup: StoredGoodBackup, verified: VerifiedBackup | undefined): GoodBackup {
  const { _id, clusterId, startTime, endTime, result } = backup;
  return {
    ...{ clusterId, backupId: _id, startTime, endTime: endTime ?? undefined },
    snapshotTime: snapshotTime(backup),
    verifiedSnapshotTime: verified && snapshotTime(verified),
    sizeBytes: BigInt(result?.sizeBytes ?? 0),
  };
}
