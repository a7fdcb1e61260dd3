import { invalidArgument } from '@tidemark/errors/app-error';
import { MAX_LISTED, MAX_STORAGE_USERS } from '@tidemark/limits/limits';
import {
  type ListStorageUsersRequest,
  type ListStorageUsersResponse,
  StorageUser,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Dependencies } from './context.ts';

/**
 * What names a storage; rules that follow a strategy for labels are told as that, unless clusters are named, whose rules
 * are told one by one.
 */
export function listStorageUsers({ store, fleet }: Dependencies) {
  return async (
    { storageId, clusterIds }: ListStorageUsersRequest,
    { signal }: CallContext,
  ): Promise<ListStorageUsersResponse> => {
    if (clusterIds.length > MAX_LISTED)
      throw invalidArgument([{ field: 'clusterIds', description: `must be at most ${MAX_LISTED}` }]);
    if (storageId === '') return { users: [], total: 0 };
    if (clusterIds.length > 0) {
      const found = await store.rulesOfStorage(storageId, clusterIds, signal);
      return { users: found.slice(0, MAX_STORAGE_USERS).map((one) => StorageUser.create(one)), total: found.length };
    }
    const [rules, strategies] = await Promise.all([
      store.ownRulesOfStorage(storageId, MAX_STORAGE_USERS, signal),
      fleet.list(signal),
    ]);
    const named = strategies.filter((one) => one.storageId === storageId && !one.deleting).slice(0, MAX_STORAGE_USERS);
    return {
      users: [
        ...rules.map(({ clusterId, rule }) => StorageUser.create({ clusterId, rule })),
        ...named.map(({ _id: fleetStrategy }) => StorageUser.create({ fleetStrategy })),
      ],
      total: 0,
    };
  };
}
