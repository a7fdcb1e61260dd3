import { readListeners, readPeer } from '@tidemark/service-kit/common-settings';
import { type Address, type ConfigReader, configReader, type Env, type OnRead } from '@tidemark/service-kit/env';
import { isLoopback } from '@tidemark/service-kit/grpc/credentials';
import { readTransportSecurity, type TransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { type CertificateSetting, keyWarning, readCertificateSetting } from '@tidemark/service-kit/watched-certificate';
import type { ConsoleLogin } from './console/login.ts';
import { type Limits, readLimits } from './edge/limits.ts';
import { type IssuerConfig, isTrustworthyUrl } from './identity/issuer.ts';
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
  /** How people log in to the console at the issuer; left out, they paste a token. */
  readonly consoleLogin?: ConsoleLogin | undefined;
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
export function toConfig(env: Env, onRead?: OnRead): GatewayConfig {
  const reader = configReader(env, onRead);
  const listeners = readListeners(reader, { port: 4116, operationsPort: 4126 });
  const listenerTls = readCertificateSetting(reader, 'TIDEMARK_GATEWAY_TLS', { mutual: false });
  const strategyService = readPeer(reader, 'TIDEMARK_STRATEGY_SERVICE');
  const backupService = readPeer(reader, 'TIDEMARK_BACKUP_SERVICE');
  const schedulerService = readPeer(reader, 'TIDEMARK_SCHEDULER_SERVICE');
  const security = readTransportSecurity(reader, {
    calls: {
      TIDEMARK_STRATEGY_SERVICE: strategyService,
      TIDEMARK_BACKUP_SERVICE: backupService,
      TIDEMARK_SCHEDULER_SERVICE: schedulerService,
    },
  });
  const listenerWarning = listenerTls && keyWarning(listenerTls.files);
  const issuer = readIssuer(reader);
  const config: GatewayConfig = {
    ...security,
    securityWarnings: [...security.securityWarnings, ...(listenerWarning ? [listenerWarning] : [])],
    ...listeners,
    listenerTls,
    grpcPort: reader.integer('TIDEMARK_GRPC_PORT', {
      about: 'Port of gRPC; with TLS where the gateway has a certificate.',
      default: 4120,
      max: 65_535,
    }),
    strategyService,
    backupService,
    schedulerService,
    tokensFile: reader.text('TIDEMARK_TOKENS_FILE', { about: 'File of the hashed tokens.' }),
    issuer,
    consoleLogin: readConsoleLogin(reader, issuer),
    auditFile:
      reader.text('TIDEMARK_AUDIT_FILE', {
        about: 'File that audit lines are written to, beside the log.',
        default: '',
      }) || undefined,
    rate: {
      perSecond: reader.integer('TIDEMARK_RATE_PER_SECOND', {
        about: 'Requests a second and token.',
        default: 50,
        min: 1,
        max: 1_000_000,
      }),
      burst: reader.integer('TIDEMARK_RATE_BURST', {
        about: 'Requests of a token that may come at once.',
        default: 200,
        min: 1,
        max: 1_000_000,
      }),
    },
    limits: readLimits(reader),
    trustedProxies: reader.list('TIDEMARK_TRUSTED_PROXIES', {
      about: 'Addresses or networks of proxies whose `X-Forwarded-For` is believed.',
      default: [],
    }),
    allowedOrigins: reader.list('TIDEMARK_ALLOWED_ORIGINS', {
      about: 'Origins of pages that may call the API.',
      default: [],
    }),
  };
  checkLists(reader, config);
  if (
    !isLoopback(listeners.host) &&
    !listenerTls &&
    !reader.flag('TIDEMARK_ALLOW_OPEN', {
      about: 'Listens beyond this machine without a token or TLS.',
      default: false,
    })
  )
    reader.problem(
      `TIDEMARK_HOST is ${listeners.host}, which others can reach, and the gateway would speak in the clear: set TIDEMARK_GATEWAY_TLS_CERT_FILE and TIDEMARK_GATEWAY_TLS_KEY_FILE, or put a TLS proxy on this machine in front of it, or set TIDEMARK_ALLOW_OPEN=true if this is meant`,
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

function readIssuer(reader: ConfigReader): IssuerConfig | undefined {
  const issuer = reader.text('TIDEMARK_OIDC_ISSUER', { about: 'URL of the issuer of signed tokens.', default: '' });
  const config: IssuerConfig = {
    issuer,
    // Without it, whatever the issuer signed for any of its clients would be let in.
    audience: reader.text('TIDEMARK_OIDC_AUDIENCE', {
      about: 'Audience that a signed token must name; must be set with an issuer.',
      default: '',
    }),
    roleClaim: reader.text('TIDEMARK_OIDC_ROLE_CLAIM', {
      about: 'Claim that holds the role.',
      default: 'tidemark_role',
    }),
    clustersClaim: reader.text('TIDEMARK_OIDC_CLUSTERS_CLAIM', {
      about: 'Claim that holds ids of clusters.',
      default: 'tidemark_clusters',
    }),
    labelsClaim: reader.text('TIDEMARK_OIDC_LABELS_CLAIM', {
      about: 'Claim that holds labels of clusters.',
      default: 'tidemark_labels',
    }),
  };
  if (issuer === '') return undefined;
  if (!isTrustworthyUrl(issuer))
    reader.problem(
      'TIDEMARK_OIDC_ISSUER must be an https URL, such as https://login.example.com/realms/ops (http is for this machine only)',
    );
  if (config.audience === '') reader.problem('TIDEMARK_OIDC_AUDIENCE must be set');
  return config;
}

function readConsoleLogin(reader: ConfigReader, issuer: IssuerConfig | undefined): ConsoleLogin | undefined {
  const clientId = reader.text('TIDEMARK_CONSOLE_CLIENT_ID', {
    about: 'Id of the console at the issuer, where it is a public client; without it people paste a token.',
    default: '',
  });
  const scope = reader.text('TIDEMARK_CONSOLE_SCOPE', {
    about: 'Scopes that the console asks the issuer for, separated by blanks.',
    default: 'openid',
  });
  const resource = reader.text('TIDEMARK_CONSOLE_RESOURCE', {
    about: 'What the console asks the issuer for a token of (`resource` and `audience`), where that wants it said.',
    default: '',
  });
  if (clientId === '') return undefined;
  if (issuer) return { issuer: issuer.issuer, clientId, scope, resource: resource || undefined };
  reader.problem('TIDEMARK_CONSOLE_CLIENT_ID needs TIDEMARK_OIDC_ISSUER: the issuer at which people log in');
  return undefined;
}
