import { createLogger } from '@tidemark/service-kit/logging';

export const log = createLogger('strategy-service');
export const storeLog = log.child({ part: 'store' });
/** One line per mutation. */
export const auditLog = log.child({ audit: true });
