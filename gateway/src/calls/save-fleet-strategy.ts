import type { Steps } from './steps.ts';
import { requireStorage } from './storage-access.ts';

export const saveFleetStrategy: Steps<'saveFleetStrategy'> = {
  async prepare({ storageId }, { scope, dependencies }) {
    if (storageId) await requireStorage(storageId, scope, dependencies);
  },
};
