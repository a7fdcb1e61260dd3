import { CALL_TIMEOUT_MS } from '../backends.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const checkStorage: Steps<'checkStorage'> = {
  /**
   * The storage is looked up before the long wait for a worker, so that a service or database that is down is reported as
   * soon as in any other call.
   */
  async prepare({ storageId }, { scope, dependencies }) {
    const options = callOptions(scope, dependencies);
    const timeoutMs = Math.min(CALL_TIMEOUT_MS, options.timeoutMs ?? CALL_TIMEOUT_MS);
    await dependencies.backends.registry.getStorage({ id: storageId }, { ...options, timeoutMs });
  },
};
