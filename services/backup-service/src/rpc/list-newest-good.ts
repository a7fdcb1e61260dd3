import { MAX_ENTRIES } from '@tidemark/limits/limits';
import {
  GoodBackup,
  type ListNewestGoodRequest,
  type ListNewestGoodResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import type { GoodBackup as StoredGoodBackup } from '../finished-backups.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** The newest good backup of each cluster that has one that can be read: as many as fit, and the rest under a token, a cluster's id. */
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
    const found = await finished.newestGood(asked.slice(done), signal);
    const messages = readable(quarantines.newestGood, found, toMessage, GoodBackup).map(({ message }) => message);
    const backups = fitting(messages, GoodBackup);
    return { backups, nextPageToken: (backups.length < messages.length && backups.at(-1)?.clusterId) || '' };
  };
}

function toMessage({ _id, clusterId, startTime, endTime }: StoredGoodBackup): GoodBackup {
  return { clusterId, backupId: _id, startTime, endTime: endTime ?? undefined };
}
