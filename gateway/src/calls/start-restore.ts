import { randomUUID } from 'node:crypto';
import { hasRole } from '../authorize.ts';
import { requireVisibleSource } from './find-backup.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const startRestore: Steps<'startRestore'> = {
  async prepare(request, { scope, dependencies }) {
    await requireVisibleSource(scope, dependencies, request);
    // Every start is keyed, so that a repeat on the way cannot start two.
    request.key ||= randomUUID();
    // What the target is for stands in its registration, by which the service goes when it accepts the restore.
    request.scratchOnly = !hasRole(scope.caller, 'admin');
  },
  async act(request, { scope, dependencies }) {
    const response = await dependencies.backends.restores.startRestore(request, callOptions(scope, dependencies));
    if (response.restore) scope.audited = { ...scope.audited, restoreId: response.restore.id };
    return response;
  },
};
