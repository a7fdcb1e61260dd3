import { create } from '@bufbuild/protobuf';
import { ListClustersResponseSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { listClusters as listAll } from './lists.ts';
import { checkPageToken, type TokenScope, unwrapToken, wrapToken } from './page-token.ts';
import type { Steps } from './steps.ts';

interface Filters {
  readonly labels: Readonly<Record<string, string>>;
  readonly text: string;
}

export const listClusters: Steps<'listClusters'> = {
  check: checkPageToken,
  async act({ ids, pageSize, pageToken, labels, text }, { scope, dependencies, asked }) {
    const tokens = clusterTokens({ labels, text }, asked);
    const paging = { pageSize, pageToken: unwrapToken(pageToken, tokens) };
    const { clusters, nextPageToken } = await listAll({ ids, ...paging, labels, text }, scope, dependencies);
    return create(ListClustersResponseSchema, { clusters, nextPageToken: wrapToken(nextPageToken, tokens) });
  },
};

/** @param asked ids that the request named: those that the caller sees may change from page to page */
export function clusterTokens({ labels, text }: Filters, asked: readonly string[]): TokenScope {
  return { list: 'c1', filters: [asked.toSorted(), Object.entries(labels).sort(), text.toLowerCase()] };
}
