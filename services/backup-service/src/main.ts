import { runService } from '@tidemark/service-kit/run-service';
import { toConfig } from './config.ts';
import { startBackupService } from './service.ts';

await runService('backup-service', toConfig, startBackupService);
