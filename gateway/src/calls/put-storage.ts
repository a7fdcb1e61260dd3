import type { Steps } from './steps.ts';
import { requireStillUsable } from './storage-access.ts';

export const putStorage: Steps<'putStorage'> = {
  async prepare({ storage }, { scope, dependencies }) {
    if (storage) await requireStillUsable(storage, scope, dependencies);
  },
};
