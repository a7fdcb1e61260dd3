import { createLogger } from '@tidemark/service-kit/logging';

export const log = createLogger('scheduler-service');
export const storeLog = log.child({ part: 'store' });
export const loopLog = log.child({ part: 'due-loop' });
export const endLog = log.child({ part: 'window-end' });
export const fleetLog = log.child({ part: 'fleet' });
export const notificationLog = log.child({ part: 'notifications' });
export const retentionLog = log.child({ part: 'retention' });
