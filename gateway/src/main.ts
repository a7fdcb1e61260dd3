import { runService } from '@tidemark/service-kit/run-service';
import { toConfig } from './config.ts';
import { startGateway } from './service.ts';

await runService('gateway', toConfig, startGateway);
