import { type Address, type ConfigReader, configReader, type Env } from '@tidemark/service-kit/env';
import { isLoopback } from '@tidemark/service-kit/grpc/credentials';
import { type IssuerConfig, isTrustworthyUrl } from './issuer.ts';

export interface GatewayConfig {
  readonly host: string;
  readonly port: number;
  readonly operationsPort: number;
  readonly strategyService: Address;
  readonly backupService: Address;
  readonly schedulerService: Address;
  readonly serviceToken: string | undefined;
  /** The file of hashed tokens. */
  readonly tokensFile: string;
  /** Whose signed tokens count beside those of the file. */
  readonly issuer?: IssuerConfig | undefined;
  /** Where audit lines go beside the log. */
  readonly auditFile?: string | undefined;
  /** Requests a second and token, and how many may come at once. */
  readonly rate: { readonly perSecond: number; readonly burst: number };
}

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env): GatewayConfig {
  const reader = configReader(env);
  const config: GatewayConfig = {
    host: reader.text('TIDEMARK_HOST', '127.0.0.1'),
    port: reader.integer('TIDEMARK_PORT', { default: 4116, max: 65_535 }),
    operationsPort: reader.integer('TIDEMARK_OPERATIONS_PORT', { default: 4126, max: 65_535 }),
    strategyService: reader.address('TIDEMARK_STRATEGY_SERVICE', '127.0.0.1:4117'),
    backupService: reader.address('TIDEMARK_BACKUP_SERVICE', '127.0.0.1:4118'),
    schedulerService: reader.address('TIDEMARK_SCHEDULER_SERVICE', '127.0.0.1:4119'),
    serviceToken: reader.secret('TIDEMARK_SERVICE_TOKEN'),
    tokensFile: reader.text('TIDEMARK_TOKENS_FILE'),
    issuer: toIssuer(env, reader),
    auditFile: reader.text('TIDEMARK_AUDIT_FILE', '') || undefined,
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

function toIssuer(env: Env, reader: ConfigReader): IssuerConfig | undefined {
  const issuer = env.TIDEMARK_OIDC_ISSUER;
  if (issuer === undefined) return undefined;
  if (!isTrustworthyUrl(issuer))
    reader.problem(
      'TIDEMARK_OIDC_ISSUER must be an https URL, such as https://login.example.com/realms/ops (http is for this machine only)',
    );
  return {
    issuer,
    // Without it, whatever the issuer signed for any of its clients would open this door.
    audience: reader.text('TIDEMARK_OIDC_AUDIENCE'),
    roleClaim: reader.text('TIDEMARK_OIDC_ROLE_CLAIM', 'tidemark_role'),
    clustersClaim: reader.text('TIDEMARK_OIDC_CLUSTERS_CLAIM', 'tidemark_clusters'),
    labelsClaim: reader.text('TIDEMARK_OIDC_LABELS_CLAIM', 'tidemark_labels'),
  };
}
