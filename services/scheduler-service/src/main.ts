import { runService } from '@tidemark/service-kit/run-service';
import { toConfig } from './config.ts';
import { startScheduler } from './service.ts';

await runService('scheduler-service', toConfig, startScheduler);
