import { AppError } from '@tidemark/errors/app-error';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const deleteStorage: Steps<'deleteStorage'> = {
  /** A storage that only a strategy names would be missed at every window of it. */
  async prepare({ id: storageId }, { scope, dependencies }) {
    const { strategies } = dependencies.backends;
    const { users } = await strategies.listStorageUsers({ storageId }, callOptions(scope, dependencies));
    if (users.length === 0) return;
    const names = users.map(({ clusterId, rule, fleetStrategy }) =>
      fleetStrategy === '' ? `rule ${rule} of cluster ${clusterId}` : `strategy ${fleetStrategy} for labels`,
    );
    throw new AppError(
      'storage_in_use',
      `Storage ${storageId} is named by ${names.join(', ')}: let them write elsewhere, or delete them first.`,
      { info: { storageId } },
    );
  },
};
