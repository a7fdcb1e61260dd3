import { type Address, type ConfigReader, configReader, type Env } from '@tidemark/service-kit/env';
import { isLoopback } from '@tidemark/service-kit/grpc/credentials';
import { readTransportSecurity, type TransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { type CertificateSetting, keyWarning, readCertificateSetting } from '@tidemark/service-kit/watched-certificate';
import { type IssuerConfig, isTrustworthyUrl } from './issuer.ts';
import { type Limits, readLimits } from './limits.ts';
import { matcherOf } from './networks.ts';

export interface GatewayConfig extends TransportSecurity {
  readonly host: string;
  readonly port: number;
  /** With it the gateway itself serves HTTPS. */
  readonly listenerTls: CertificateSetting | undefined;
  readonly operationsHost: string;
  /** Of gRPC without TLS, which needs a listener of its own; on the same host. */
  readonly grpcPort: number;
  readonly operationsPort: number;
  readonly strategyService: Address;
  readonly backupService: Address;
  readonly schedulerService: Address;
  /** The file of hashed tokens. */
  readonly tokensFile: string;
  /** Whose signed tokens count beside those of the file. */
  readonly issuer?: IssuerConfig | undefined;
  /** Where audit lines go beside the log. */
  readonly auditFile?: string | undefined;
  /** Requests a second and token, and how many may come at once. */
  readonly rate: { readonly perSecond: number; readonly burst: number };
  readonly limits: Limits;
  /** Proxies whose `X-Forwarded-For` is believed: addresses or networks. */
  readonly trustedProxies: readonly string[];
  /** Origins of pages that may call; nobody's unless named. */
  readonly allowedOrigins: readonly string[];
}

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env): GatewayConfig {
  const reader = configReader(env);
  const host = reader.text('TIDEMARK_HOST', '127.0.0.1');
  const listenerTls = readCertificateSetting(reader, 'TIDEMARK_GATEWAY_TLS', { mutual: false });
  const strategyService = reader.address('TIDEMARK_STRATEGY_SERVICE', '127.0.0.1:4117');
  const backupService = reader.address('TIDEMARK_BACKUP_SERVICE', '127.0.0.1:4118');
  const schedulerService = reader.address('TIDEMARK_SCHEDULER_SERVICE', '127.0.0.1:4119');
  const security = readTransportSecurity(reader, {
    calls: {
      TIDEMARK_STRATEGY_SERVICE: strategyService,
      TIDEMARK_BACKUP_SERVICE: backupService,
      TIDEMARK_SCHEDULER_SERVICE: schedulerService,
    },
  });
  const listenerWarning = listenerTls && keyWarning(listenerTls.files);
  const config: GatewayConfig = {
    ...security,
    securityWarnings: [...security.securityWarnings, ...(listenerWarning ? [listenerWarning] : [])],
    host,
    listenerTls,
    port: reader.integer('TIDEMARK_PORT', { default: 4116, max: 65_535 }),
    operationsHost: reader.text('TIDEMARK_OPERATIONS_HOST', host),
    grpcPort: reader.integer('TIDEMARK_GRPC_PORT', { default: 4120, max: 65_535 }),
    operationsPort: reader.integer('TIDEMARK_OPERATIONS_PORT', { default: 4126, max: 65_535 }),
    strategyService,
    backupService,
    schedulerService,
    tokensFile: reader.text('TIDEMARK_TOKENS_FILE'),
    issuer: toIssuer(env, reader),
    auditFile: reader.text('TIDEMARK_AUDIT_FILE', '') || undefined,
    rate: {
      perSecond: reader.integer('TIDEMARK_RATE_PER_SECOND', { default: 50, min: 1, max: 1_000_000 }),
      burst: reader.integer('TIDEMARK_RATE_BURST', { default: 200, min: 1, max: 1_000_000 }),
    },
    limits: readLimits(reader),
    trustedProxies: reader.list('TIDEMARK_TRUSTED_PROXIES', []),
    allowedOrigins: reader.list('TIDEMARK_ALLOWED_ORIGINS', []),
  };
  checkLists(reader, config);
  if (!isLoopback(host) && !listenerTls && !reader.flag('TIDEMARK_ALLOW_OPEN', false))
    reader.problem(
      `TIDEMARK_HOST is ${host}, which others can reach, and the gateway would speak in the clear: set TIDEMARK_GATEWAY_TLS_CERT_FILE and TIDEMARK_GATEWAY_TLS_KEY_FILE, or put a TLS proxy on this machine in front of it, or set TIDEMARK_ALLOW_OPEN=true if this is meant`,
    );
  reader.finish();
  return config;
}

function checkLists(reader: ConfigReader, { trustedProxies, allowedOrigins }: GatewayConfig): void {
  try {
    matcherOf(trustedProxies);
  } catch (error) {
    reader.problem(`TIDEMARK_TRUSTED_PROXIES: ${(error as Error).message}`);
  }
  for (const origin of allowedOrigins)
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      reader.problem(`TIDEMARK_ALLOWED_ORIGINS: ${origin} is not an origin such as https://console.example.com`);
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
