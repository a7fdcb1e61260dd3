/** The exact command line of `br` (br-contract.md section 1): pure, and byte-identical between attempts so that BR resumes. */
import type { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { type Env, envWithPrefixes } from '@tidemark/service-kit/env';

/** Where the files go, as BR wants it told. */
export function localStorageUrl(folder: string): string {
  return `local://${folder.split('/').map(encodeURIComponent).join('/')}`;
}

/**
 * Arguments of a full backup. Whatever BR has a changing default for is said explicitly.
 *
 * @param folder absolute folder of the backup
 */
export function backupArguments(target: Target, folder: string): string[] {
  const { pd, tls, brOptions } = target;
  return [
    'backup',
    'full',
    '--pd',
    pd.join(','),
    '--storage',
    localStorageUrl(folder),
    `--checksum=${takesChecksum(target)}`,
    '--log-level',
    'info',
    '--send-credentials-to-tikv=true',
    ...(tls?.ca ? ['--ca', tls.ca] : []),
    ...(tls?.cert ? ['--cert', tls.cert] : []),
    ...(tls?.key ? ['--key', tls.key] : []),
    ...(brOptions?.rateLimit ? ['--ratelimit', String(brOptions.rateLimit)] : []),
    ...(brOptions?.concurrency ? ['--concurrency', String(brOptions.concurrency)] : []),
    ...(brOptions?.compression ? ['--compression', brOptions.compression] : []),
    ...(brOptions?.filters ?? []).flatMap((filter) => ['--filter', filter]),
  ];
}

/** Whether BR compares checksums at the end; off unless asked for, as in BR itself from 8.5 on. */
export function takesChecksum({ brOptions }: Target): boolean {
  return brOptions?.checksum ?? false;
}

const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'TIDEMARK_NODE'];
const INHERITED_PREFIXES = ['DEMO_BR_'];

/** The whole environment of a `br`: an allow-list, and what makes every version print its log to standard output. */
export function brEnvironment(env: Env, temporaryFolder: string): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  return {
    ...Object.fromEntries(inherited),
    ...envWithPrefixes(env, INHERITED_PREFIXES),
    TMPDIR: temporaryFolder,
    BR_LOG_TO_TERM: '1',
  };
}
