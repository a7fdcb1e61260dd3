import { create } from '@bufbuild/protobuf';
import { ListClustersResponseSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { listClusters as listAll } from './lists.ts';
import type { Steps } from './steps.ts';

export const listClusters: Steps<'listClusters'> = {
  act: async ({ ids, pageSize, pageToken, labels, text }, { scope, dependencies }) =>
    create(ListClustersResponseSchema, await listAll({ ids, pageSize, pageToken, labels, text }, scope, dependencies)),
};
