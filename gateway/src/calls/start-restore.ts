import { randomUUID } from 'node:crypto';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const startRestore: Steps<'startRestore'> = {
  /** Every start is keyed, so that a repeat on the way cannot start two. */
  prepare(request) {
    request.key ||= randomUUID();
  },
  async act(request, { scope, dependencies }) {
    const response = await dependencies.backends.restores.startRestore(request, callOptions(scope, dependencies));
    if (response.restore) scope.audited = { ...scope.audited, restoreId: response.restore.id };
    return response;
  },
};
