import { create } from '@bufbuild/protobuf';
import { ListStoragesResponseSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { listStorages as listAll } from './lists.ts';
import type { Steps } from './steps.ts';

export const listStorages: Steps<'listStorages'> = {
  act: async (_, { scope, dependencies }) =>
    create(ListStoragesResponseSchema, { storages: await listAll(scope, dependencies) }),
};
