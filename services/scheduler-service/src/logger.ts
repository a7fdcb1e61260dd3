import { createLogger } from '@tidemark/service-kit/logging';

export const log = createLogger('scheduler-service');
export const storeLog = log.child({ part: 'store' });
export const loopLog = log.child({ part: 'due-loop' });
