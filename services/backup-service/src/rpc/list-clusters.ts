import { MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import {
  Cluster,
  type ListClustersRequest,
  type ListClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { clusterMatcher, type Labels } from '@tidemark/service-kit/label-selector';
import { readable } from '@tidemark/service-kit/quarantine';
import { toClusterMessage } from '../registry-message.ts';
import type { ClusterDocument } from '../registry-store.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/**
 * Clusters, or those asked for, by id: as many as fit, and the rest under a token, which is the last id of a page.
 * One that cannot be read is left out.
 */
export function listClusters({ registry, quarantines }: Dependencies) {
  return async (
    { ids, pageSize, pageToken, updatedAfter, labels, text }: ListClustersRequest,
    { signal }: CallContext,
  ): Promise<ListClustersResponse> => {
    const check = validation();
    check.require(pageSize >= 0 && pageSize <= MAX_PAGE_SIZE, 'pageSize', `must be from 1 to ${MAX_PAGE_SIZE}`);
    if (pageToken !== '') check.id('pageToken', pageToken);
    check.finish();
    const limit = pageSize || MAX_PAGE_SIZE;
    const found = await registry.clusters.page(
      {
        ids,
        limit: limit + 1,
        ...((text !== '' || Object.keys(labels).length > 0) && { matches: matching(labels, text) }),
        ...(pageToken !== '' && { afterId: pageToken }),
        ...(updatedAfter && { updatedAfter }),
      },
      signal,
    );
    const page = found.slice(0, limit);
    const messages = readable(quarantines.listedClusters, page, toClusterMessage, Cluster).map(
      ({ message }) => message,
    );
    const clusters = fitting(messages, Cluster);
    const rest = found.length > limit ? page.at(-1)?._id : undefined;
    const last = clusters.length < messages.length ? clusters.at(-1)?.id : rest;
    return { clusters, nextPageToken: last ?? '' };
  };
}

function matching(labels: Labels, text: string) {
  const matches = clusterMatcher(labels, text);
  return ({ _id: id, name, labels: own }: ClusterDocument): boolean => matches({ id, name, labels: own });
}
