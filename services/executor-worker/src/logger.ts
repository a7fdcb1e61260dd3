import { createLogger } from '@tidemark/service-kit/logging';

export const log = createLogger('executor-worker');
export const brokerLog = log.child({ part: 'rabbitmq' });
