import type { Steps } from './steps.ts';
import { requireUsable } from './storage-access.ts';

export const saveFleetStrategy: Steps<'saveFleetStrategy'> = {
  async prepare({ storageId }, { scope, dependencies }) {
    if (storageId) await requireUsable(storageId, '', scope, dependencies);
  },
};
