import { runService } from '@tidemark/service-kit/run-service';
import { toConfig } from './config.ts';
import { startStrategyService } from './service.ts';

await runService('strategy-service', toConfig, startStrategyService);
