import { CALL_TIMEOUT_MS } from '../backends.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const testReceiver: Steps<'testReceiver'> = {
  /**
   * The receiver is looked up before the long wait for its answer, so that a service or database that is down is reported as soon as in any other
   * call.
   */
  async prepare({ id }, { scope, dependencies }) {
    const options = callOptions(scope, dependencies);
    const timeoutMs = Math.min(CALL_TIMEOUT_MS, options.timeoutMs ?? CALL_TIMEOUT_MS);
    await dependencies.backends.notifications.getReceiver({ id }, { ...options, timeoutMs });
  },
};
