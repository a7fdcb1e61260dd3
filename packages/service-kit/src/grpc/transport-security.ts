/** How Tidemark's processes know each other, and what protects what they say: the settings, and how they are used. */
import { isIP } from 'node:net';
import {
  type ChannelCredentials,
  type ChannelOptions,
  credentials,
  experimental,
  ServerCredentials,
} from '@grpc/grpc-js';
import type { Address, ConfigReader } from '../env.ts';
import type { Logger } from '../logging.ts';
import {
  type CertificateSetting,
  keyWarning,
  readCertificateSetting,
  type WatchedCertificate,
  watchCertificate,
} from '../watched-certificate.ts';
import { exposureProblem, isLoopback } from './credentials.ts';

/** The part of every process's settings that is about the others. */
export interface TransportSecurity {
  readonly serviceToken: string | undefined;
  /** With it everything between processes is encrypted, and both sides show a certificate. */
  readonly tls: MutualTls | undefined;
  /** What is to be said once at the start. */
  readonly securityWarnings: readonly string[];
}

export interface MutualTls extends CertificateSetting {
  /** The name in every process's certificate, where they do not have the names that they are called by. */
  readonly serverName: string | undefined;
}

/** A process's own certificate in use. */
export interface ProcessCertificate extends Disposable {
  readonly server: ServerCredentials;
  readonly channel: ChannelCredentials;
  readonly channelOptions: ChannelOptions;
}

const PREFIX = 'TIDEMARK_TLS';

/**
 * Reads `TIDEMARK_SERVICE_TOKEN`, `TIDEMARK_TLS_{CERT,KEY,CA}_FILE`, `TIDEMARK_TLS_SERVER_NAME` and `TIDEMARK_ALLOW_OPEN`.
 * What would be reachable for others without either is a problem.
 *
 * @param listensOn where the process serves the others, if it does
 * @param calls the processes that it calls, by the names of the settings
 */
export function readTransportSecurity(
  reader: ConfigReader,
  { listensOn, calls = {} }: { readonly listensOn?: string; readonly calls?: Readonly<Record<string, Address>> },
): TransportSecurity {
  const serviceToken = reader.secret('TIDEMARK_SERVICE_TOKEN', {
    about: 'Token by which Tidemark’s processes know each other.',
  });
  const certificate = readCertificateSetting(reader, PREFIX, { mutual: true });
  const serverName =
    reader.text(`${PREFIX}_SERVER_NAME`, {
      about: 'Name that the certificates of the other processes must bear, in place of that of their address.',
      default: '',
    }) || undefined;
  const meant = reader.flag('TIDEMARK_ALLOW_OPEN', {
    about: 'Listens beyond this machine without a token or TLS.',
    default: false,
  });
  if (certificate && serverName === undefined)
    for (const [setting, { host }] of Object.entries(calls))
      if (parts(host).some((one) => isIP(one) !== 0))
        reader.problem(
          `${setting} is the number ${host}, and a certificate is checked by name: call it by a name that is in its certificate, or set ${PREFIX}_SERVER_NAME to one that is in all of them`,
        );
  if (certificate === undefined && listensOn !== undefined) {
    const exposed = exposureProblem(listensOn, serviceToken, meant);
    if (exposed) reader.problem(exposed);
  }
  const hosts = [...(listensOn === undefined ? [] : [listensOn]), ...Object.values(calls).map(({ host }) => host)];
  const warnings = certificate ? [keyWarning(certificate.files)] : [clearWarning(hosts, serviceToken)];
  return {
    serviceToken,
    tls: certificate && { ...certificate, serverName },
    securityWarnings: warnings.filter((warning) => warning !== undefined),
  };
}

/** Says what the settings warn of, and takes the process's certificate into use, if it has one; renewed ones follow. */
export function openTransportSecurity(
  { tls, securityWarnings }: TransportSecurity,
  { log, everyMs }: { readonly log: Logger; readonly everyMs?: number },
): ProcessCertificate | undefined {
  for (const warning of securityWarnings) log.warn({}, warning);
  if (!tls) return undefined;
  const watched = watchCertificate(tls, { log, ...(everyMs !== undefined && { everyMs }) });
  const provider = providerOf(watched);
  return {
    server: experimental.createCertificateProviderServerCredentials(provider, provider, true),
    channel: experimental.createCertificateProviderChannelCredentials(provider, provider),
    channelOptions: tls.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName },
    [Symbol.dispose]: () => watched[Symbol.dispose](),
  };
}

/** What a server listens with. */
export function serverCredentials(certificate: ProcessCertificate | undefined): ServerCredentials {
  return certificate?.server ?? ServerCredentials.createInsecure();
}

/** What a channel connects with. */
export function channelCredentials(certificate: ProcessCertificate | undefined): ChannelCredentials {
  return certificate?.channel ?? credentials.createInsecure();
}

/**
 * grpc-js' own provider reads files, but gives out pairs of which only half was replaced; then connections fail until
 * the other half is there.
 */
function providerOf(watched: WatchedCertificate): experimental.CertificateProvider {
  const subscriptions = new Map<object, () => void>();
  const subscribe = (listener: object, notify: () => void) => {
    subscriptions.set(listener, watched.onRenewed(notify));
    // Not at once: grpc-js adds itself to the listeners only after this returns.
    process.nextTick(notify);
  };
  const unsubscribe = (listener: object) => {
    subscriptions.get(listener)?.();
    subscriptions.delete(listener);
  };
  return {
    addCaCertificateListener: (listener) =>
      subscribe(listener, () => listener({ caCertificate: watched.current.ca ?? Buffer.alloc(0) })),
    removeCaCertificateListener: unsubscribe,
    addIdentityCertificateListener: (listener) =>
      subscribe(listener, () => listener({ certificate: watched.current.cert, privateKey: watched.current.key })),
    removeIdentityCertificateListener: unsubscribe,
  };
}

/** The hosts of a host, which may be a list of addresses such as `ipv4:10.0.0.1:4118,10.0.0.2`. */
function parts(host: string): string[] {
  return host
    .replace(/^ipv[46]:/, '')
    .split(',')
    .map((one) => one.replace(/^(\d+(?:\.\d+){3}):\d+$/, '$1').replace(/^\[(.*)\](?::\d+)?$/, '$1'));
}

function clearWarning(hosts: readonly string[], token: string | undefined): string | undefined {
  const open = hosts.filter((host) => !parts(host).every(isLoopback));
  if (open.length === 0) return undefined;
  const what = token === undefined ? 'everything that is said' : 'the service token and everything else that is said';
  return `${what} between this process and ${open.join(', ')} travels in the clear: set ${PREFIX}_CERT_FILE, ${PREFIX}_KEY_FILE and ${PREFIX}_CA_FILE, or see to it that nobody listens on that network`;
}
