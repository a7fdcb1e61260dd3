import { type Address, configReader, type Env } from '@tidemark/service-kit/env';
import { isLoopback } from '@tidemark/service-kit/grpc/credentials';

export interface GatewayConfig {
  readonly host: string;
  readonly port: number;
  /** Of gRPC without TLS, which needs a listener of its own; on the same host. */
  readonly grpcPort: number;
  readonly operationsPort: number;
  readonly strategyService: Address;
  readonly backupService: Address;
  readonly schedulerService: Address;
  readonly serviceToken: string | undefined;
  /** The file of hashed tokens. */
  readonly tokensFile: string;
  /** Requests a second and token, and how many may come at once. */
  readonly rate: { readonly perSecond: number; readonly burst: number };
}

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env): GatewayConfig {
  const reader = configReader(env);
  const config: GatewayConfig = {
    host: reader.text('TIDEMARK_HOST', '127.0.0.1'),
    port: reader.integer('TIDEMARK_PORT', { default: 4116, max: 65_535 }),
    grpcPort: reader.integer('TIDEMARK_GRPC_PORT', { default: 4120, max: 65_535 }),
    operationsPort: reader.integer('TIDEMARK_OPERATIONS_PORT', { default: 4126, max: 65_535 }),
    strategyService: reader.address('TIDEMARK_STRATEGY_SERVICE', '127.0.0.1:4117'),
    backupService: reader.address('TIDEMARK_BACKUP_SERVICE', '127.0.0.1:4118'),
    schedulerService: reader.address('TIDEMARK_SCHEDULER_SERVICE', '127.0.0.1:4119'),
    serviceToken: reader.secret('TIDEMARK_SERVICE_TOKEN'),
    tokensFile: reader.text('TIDEMARK_TOKENS_FILE'),
    rate: {
      perSecond: reader.integer('TIDEMARK_RATE_PER_SECOND', { default: 50, min: 1, max: 1_000_000 }),
      burst: reader.integer('TIDEMARK_RATE_BURST', { default: 200, min: 1, max: 1_000_000 }),
    },
  };
  if (!isLoopback(config.host) && !reader.flag('TIDEMARK_ALLOW_OPEN', false))
    reader.problem(
      `TIDEMARK_HOST is ${config.host}, which others can reach, and the gateway does not encrypt: put a TLS proxy on this machine in front of it, or set TIDEMARK_ALLOW_OPEN=true if this is meant`,
    );
  reader.finish();
  return config;
}
