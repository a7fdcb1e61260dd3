import { MAX_LISTED } from '@tidemark/limits/limits';
import { askedPage } from '@tidemark/mongo/page-request';
import { Restore as RestoreMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type {
  ListRestoresRequest,
  ListRestoresResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import type { Restore } from '../restore/restore.ts';
import { fromRestoreStateMessage, toListedRestore } from '../restore/restore-message.ts';
import type { RestoreFilter } from '../restore/restore-store.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** A page of restores, newest first. What cannot be read, or reads a backup of a cluster that the caller does not see, is left out. */
export function listRestores({ restores, quarantines, now }: Dependencies) {
  return async (
    request: ListRestoresRequest,
    { signal, timeLeftMs, sees }: CallContext,
  ): Promise<ListRestoresResponse> => {
    const filter = toFilter(request);
    const scope = { list: 'r1', filters: filtersOf(filter) };
    const { pageSize, pageToken } = request;
    const wish = { page: 1, pageSize, pageToken, withoutTotal: true };
    const asked = askedPage(wish, { scope, exactTotal: 0, timeLeftMs: timeLeftMs() });
    const check = validation();
    check.add(asked.violations);
    const fits = request.withinSight || request.clusterIds.length <= MAX_LISTED;
    check.require(fits, 'clusterIds', `must be at most ${MAX_LISTED}`);
    check.finish();

    const page = await restores.list(filter, asked.wish, signal);
    const at = now();
    const toMessage = (restore: Restore) => toListedRestore(restore, at);
    const shown = readable(quarantines.listedRestores, page.rows, toMessage, RestoreMessage).filter(({ record }) =>
      sees(record.source.clusterId),
    );
    const found = fitting(
      shown.map(({ message }) => message),
      RestoreMessage,
    );
    const last = found.length < shown.length ? shown[found.length - 1]?.record : undefined;
    const { followingPageToken } = asked.answer(
      page,
      last && { at: last.startTime, id: last._id, number: page.rows.indexOf(last) + 1 },
    );
    return { restores: found, nextPageToken: followingPageToken };
  };
}

function toFilter({ clusterIds, sourceClusterId, backupId, states, withinSight }: ListRestoresRequest): RestoreFilter {
  return {
    clusterIds,
    withinSight,
    states: states.map(fromRestoreStateMessage).filter((state) => state !== undefined),
    ...(sourceClusterId !== '' && { sourceClusterId }),
    ...(backupId !== '' && { backupId }),
  };
}

function filtersOf({ clusterIds, withinSight, sourceClusterId, backupId, states }: RestoreFilter): unknown[] {
  const clusters = withinSight ? [] : [...new Set(clusterIds)].sort();
  return [clusters, sourceClusterId ?? null, backupId ?? null, [...states].sort()];
}
