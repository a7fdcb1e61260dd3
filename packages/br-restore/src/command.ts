/** The exact command line of `br restore full` and `br restore point`, by version (br-contract 1 and 2): pure, and the same to the byte for every attempt. */
import { flag, STATUS_ADDRESS, storageFlags, storageUrl } from '@tidemark/br-options/command-line';
import { FIRST_WITH_LOAD_STATS, type GivenRestoreOptions } from '@tidemark/br-options/restore-options';
import { withoutSystem } from '@tidemark/br-options/table-filter';
import { isBefore } from '@tidemark/br-options/version';
import type { Storage, TlsFiles } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';

/** How an encrypted backup is read: the method, and the file on the worker that holds the key. */
export interface SourceKey {
  readonly method: string;
  readonly keyFile: string;
}

/** A restore as it was accepted: nothing of it changes between attempts. */
export interface RestoreOrder {
  readonly source: {
    readonly storage: Storage;
    /** Of the backup below its storage. */
    readonly path: string;
    readonly key: SourceKey | undefined;
  };
  /** What is restored by a log that goes on from the backup; absent where the backup alone is. */
  readonly point?: {
    /** Decimal. */
    readonly tso: string;
    readonly storage: Storage;
    /** Of the log, below its storage. */
    readonly path: string;
  };
  readonly target: { readonly pd: readonly string[]; readonly tls: TlsFiles | undefined };
  readonly options: Omit<GivenRestoreOptions, 'rateLimit'>;
}

/**
 * Arguments of a restore of a whole backup, of what a filter chooses of it, or to a point in time. Whatever BR has a changing default for is said explicitly, as far as the version
 * takes it. Checksums are always compared, the checks of the target stay on, and so does the checkpoint. No argument
 * holds a secret.
 *
 * @param brVersion of the `br` that runs, such as v8.5.0
 */
export function restoreArguments({ source, point, target, options }: RestoreOrder, brVersion: string): string[] {
  const { storage, path, key } = source;
  const { withSystemTables = false, loadStats = true, placementPolicies = '', waitTiFlashReady = false } = options;
  const { filter = [] } = options;
  const extra = Object.entries(options.extra ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  return [
    'restore',
    point ? 'point' : 'full',
    '--pd',
    target.pd.join(','),
    ...(point
      ? [
          ...['--full-backup-storage', storageUrl(storage, path), '--storage', storageUrl(point.storage, point.path)],
          ...['--restored-ts', point.tso],
          ...storageFlags(storage),
          // br has one of each flag for both, so that they are the same where both are of one kind.
          ...(point.storage.location?.$case === storage.location?.$case ? [] : storageFlags(point.storage)),
        ]
      : ['--storage', storageUrl(storage, path), ...storageFlags(storage)]),
    '--checksum=true',
    `--with-sys-table=${withSystemTables}`,
    ...(isBefore(brVersion, FIRST_WITH_LOAD_STATS) ? [] : [`--load-stats=${loadStats}`]),
    '--log-level',
    'info',
    `--send-credentials-to-tikv=${storage.sendCredentialsToTikv ?? true}`,
    '--status-addr',
    STATUS_ADDRESS,
    ...flag('ca', target.tls?.ca),
    ...flag('cert', target.tls?.cert),
    ...flag('key', target.tls?.key),
    ...flag('with-tidb-placement-mode', placementPolicies.toUpperCase()),
    ...withoutSystem(filter).flatMap((rule) => flag('filter', rule)),
    ...(waitTiFlashReady ? ['--wait-tiflash-ready=true'] : []),
    ...flag('crypter.method', key?.method),
    ...flag('crypter.key-file', key?.keyFile),
    ...extra.map(([name, value]) => `--${name}=${value}`),
  ];
}

/** The arguments of one attempt: the rate limit, in MiB per second and TiKV, is the only one that may change. */
export function withRateLimit(restore: readonly string[], rateLimit: number | undefined): string[] {
  return [...restore, ...flag('ratelimit', rateLimit)];
}
