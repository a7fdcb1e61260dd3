import { createLogger } from '@tidemark/service-kit/logging';

export const log = createLogger('gateway');
/** One line per request. */
export const accessLog = log.child({ part: 'access' });
/** One line per mutation: who, what, which cluster and backup, from where, with which outcome. */
export const auditLog = log.child({ audit: true });
