/** The exact command line of `br` (br-contract.md sections 1 and 2): pure, and byte-identical between attempts so that BR resumes. */
import { flag, STATUS_ADDRESS, storageFlags, storageUrl } from '@tidemark/br-options/command-line';
import type { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type Env, envWithPrefixes } from '@tidemark/service-kit/env';

/**
 * Arguments of a full backup. Whatever BR has a changing default for is said explicitly. No argument holds a secret.
 *
 * @param path of the backup below the storage
 */
export function backupArguments(target: Target, storage: Storage, path: string): string[] {
  const { pd, tls, brOptions } = target;
  const extra = Object.entries(brOptions?.extra ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  return [
    'backup',
    'full',
    '--pd',
    pd.join(','),
    '--storage',
    storageUrl(storage, path),
    ...storageFlags(storage),
    `--checksum=${takesChecksum(target)}`,
    '--log-level',
    'info',
    `--send-credentials-to-tikv=${storage.sendCredentialsToTikv ?? true}`,
    '--status-addr',
    STATUS_ADDRESS,
    ...flag('ca', tls?.ca),
    ...flag('cert', tls?.cert),
    ...flag('key', tls?.key),
    ...flag('ratelimit', brOptions?.rateLimit),
    ...flag('concurrency', brOptions?.concurrency),
    ...flag('compression', brOptions?.compression),
    ...(brOptions?.filters ?? []).flatMap((filter) => flag('filter', filter)),
    ...flag('crypter.method', brOptions?.crypterMethod),
    ...flag('crypter.key-file', brOptions?.crypterKeyFile),
    // Written with `=`: BR takes the value of a boolean in no other way (br-contract 1.1).
    ...extra.map(([name, value]) => `--${name}=${value}`),
  ];
}

/** Whether BR compares checksums at the end; off unless asked for, as in BR itself from 8.5 on. */
export function takesChecksum({ brOptions }: Target): boolean {
  return brOptions?.checksum ?? false;
}

const INHERITED = [
  ...['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'TIDEMARK_NODE'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
];
const INHERITED_PREFIXES = ['DEMO_BR_'];

/**
 * The whole environment of a `br`: an allow-list, the credentials of its storage, and what makes every version print its
 * log to standard output.
 */
export function brEnvironment(
  env: Env,
  temporaryFolder: string,
  credentials: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  return {
    ...Object.fromEntries(inherited),
    ...envWithPrefixes(env, INHERITED_PREFIXES),
    ...credentials,
    TMPDIR: temporaryFolder,
    BR_LOG_TO_TERM: '1',
  };
}
