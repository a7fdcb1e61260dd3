import { createLogger } from '@tidemark/service-kit/logging';

export const log = createLogger('backup-service');
export const storeLog = log.child({ part: 'store' });
export const brokerLog = log.child({ part: 'rabbitmq' });
export const dispatcherLog = log.child({ part: 'dispatcher' });
/** One line per mutation: who, what, which cluster and backup, with which outcome. */
export const auditLog = log.child({ audit: true });
