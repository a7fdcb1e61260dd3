import { runService } from '@tidemark/service-kit/run-service';
import { toConfig } from './config.ts';
import { startWorker } from './service.ts';

await runService('executor-worker', toConfig, startWorker);
