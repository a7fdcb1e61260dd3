import type {
  ListClustersRequest,
  ListClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toClusterMessage } from '../registry-message.ts';
import { MOST_LISTED } from '../registry-store.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

const LARGEST_PAGE = 1_000;

/** All clusters, or those asked for, by id; page by page where a size is given. The token is the last id of a page. */
export function listClusters({ registry }: Dependencies) {
  return async (
    { ids, pageSize, pageToken, updatedAfter }: ListClustersRequest,
    { signal }: CallContext,
  ): Promise<ListClustersResponse> => {
    const check = validation();
    check.require(pageSize >= 0 && pageSize <= LARGEST_PAGE, 'pageSize', `must be from 0 to ${LARGEST_PAGE}`);
    if (pageToken !== '') check.id('pageToken', pageToken);
    check.finish();
    const found = await registry.clusters.page(
      {
        ids,
        limit: pageSize === 0 ? MOST_LISTED : pageSize + 1,
        ...(pageToken !== '' && { afterId: pageToken }),
        ...(updatedAfter && { updatedAfter }),
      },
      signal,
    );
    const clusters = pageSize === 0 ? found : found.slice(0, pageSize);
    const more = found.length > clusters.length;
    return { clusters: clusters.map(toClusterMessage), nextPageToken: (more && clusters.at(-1)?._id) || '' };
  };
}
