import {
  type BackupServiceServer,
  BackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  type LogBackupServiceServer,
  LogBackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import {
  type RegistryServiceServer,
  RegistryServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  type RestoreServiceServer,
  RestoreServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { type PlanServiceServer, PlanServiceService } from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import {
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { createServiceClient, type ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { ProcessCertificate } from '@tidemark/service-kit/grpc/transport-security';
import type { SchedulerConfig } from './config.ts';

/** The services that the scheduler works with. */
export interface Backends extends Disposable {
  readonly backups: ServiceClient<BackupServiceServer>;
  readonly registry: ServiceClient<RegistryServiceServer>;
  readonly restores: ServiceClient<RestoreServiceServer>;
  readonly logBackups: ServiceClient<LogBackupServiceServer>;
  readonly strategies: ServiceClient<StrategyServiceServer>;
  readonly plans: ServiceClient<PlanServiceServer>;
}

export function openBackends(
  { backupService, strategyService, serviceToken: token }: SchedulerConfig,
  certificate?: ProcessCertificate,
): Backends {
  using stack = new DisposableStack();
  const strategyAddress = `${strategyService.host}:${strategyService.port}`;
  const backupAddress = `${backupService.host}:${backupService.port}`;
  const backups = stack.use(
    createServiceClient<BackupServiceServer>(BackupServiceService, { address: backupAddress, token, certificate }),
  );
  const registry = stack.use(
    createServiceClient<RegistryServiceServer>(RegistryServiceService, { address: backupAddress, token, certificate }),
  );
  const restores = stack.use(
    createServiceClient<RestoreServiceServer>(RestoreServiceService, { address: backupAddress, token, certificate }),
  );
  const logBackups = stack.use(
    createServiceClient<LogBackupServiceServer>(LogBackupServiceService, {
      address: backupAddress,
      token,
      certificate,
    }),
  );
  const strategies = stack.use(
    createServiceClient<StrategyServiceServer>(StrategyServiceService, {
      address: strategyAddress,
      token,
      certificate,
    }),
  );
  const plans = stack.use(
    createServiceClient<PlanServiceServer>(PlanServiceService, { address: strategyAddress, token, certificate }),
  );
  const owned = stack.move();
  return { backups, registry, restores, logBackups, strategies, plans, [Symbol.dispose]: () => owned.dispose() };
}
