/** What may be given to `br restore`: the one validator, at a plan, at a start, and before the spawn. Pure. */
import type { FieldViolation } from '@tidemark/errors/app-error';
import { MAX_RATE_LIMIT } from '@tidemark/limits/limits';
import { isWholeTo } from './br-options.ts';
import { type FlagRule, flagViolations } from './flags.ts';
import { tableFilterViolations } from './table-filter.ts';
import { compareVersions, isBefore, readVersion, type Version } from './version.ts';

/** Options of a restore as messages and documents have them; what is not set is absent, empty or 0. */
export interface GivenRestoreOptions {
  /** MiB per second and TiKV; the only option that may differ between attempts. */
  readonly rateLimit?: number;
  /** Whether users, their passwords and grants come back too; false when left out. */
  readonly withSystemTables?: boolean;
  /** Whether statistics come back, where the backup has them; true when left out. */
  readonly loadStats?: boolean | undefined;
  /** `strict` or `ignore`; strict when left out. */
  readonly placementPolicies?: string;
  /** Whether the end waits for the TiFlash replicas. */
  readonly waitTiFlashReady?: boolean;
  /** Rules that choose what is restored; none means the whole backup. */
  readonly filter?: readonly string[] | undefined;
  /** Flags of `br` by name, without dashes. */
  readonly extra?: Readonly<Record<string, string>>;
}

/** The first `br` that can be told to leave the statistics out; older ones refuse the flag. */
export const FIRST_WITH_LOAD_STATS: Version = [8, 0, 0];

/** A flag with the versions of `br` that take it. */
interface RestoreFlag extends FlagRule {
  readonly since?: Version;
  readonly before?: Version;
}

const COUNT = { fits: /^[1-9]\d{0,4}$/, must: 'must be a whole number from 1 to 99999' };

const EXTRA: Readonly<Record<string, RestoreFlag>> = {
  'tikv-max-restore-concurrency': { ...COUNT, since: [8, 0, 0] },
  concurrency: { ...COUNT, before: [8, 0, 0] },
  'checksum-concurrency': COUNT,
};

const FIXED = 'is set by Tidemark, the same for every attempt';
const OF_A_POINT =
  'belongs to a restore to a point in time: name that as "source", and Tidemark chooses backup and log';
const PART = 'is "filter", a list of rules such as shop.orders or shop.*';

/** Flags that somebody may well try, and what to do instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  storage: FIXED,
  pd: FIXED,
  ca: 'is "tls.ca" of the target',
  cert: 'is "tls.cert" of the target',
  key: 'is "tls.key" of the target',
  ratelimit: 'is "rateLimit"',
  'with-sys-table': 'is "withSystemTables"',
  'load-stats': 'is "loadStats"',
  'with-tidb-placement-mode': 'is "placementPolicies"',
  'wait-tiflash-ready': 'is "waitTiFlashReady"',
  'crypter.method': 'is taken from the backup',
  'crypter.key': 'would show the key to everybody on the worker: the file that the backup names holds it',
  'crypter.key-file': 'is taken from the backup',
  'send-credentials-to-tikv': 'is "sendCredentialsToTikv" of the storage',
  'log-file': 'is set by Tidemark, which keeps the log itself',
  'log-level': 'is set by Tidemark, which reads the log',
  'log-format': 'is set by Tidemark, which reads the log',
  'status-addr': 'is set by Tidemark, which asks there what a hanging br does',
  checksum: 'stays on: nothing else shows that the rows are those of the backup',
  'check-requirements': 'stays on: a br that does not fit its cluster must say so',
  'use-checkpoint': 'stays on: without it a restore that was interrupted can only be begun anew in another cluster',
  'checkpoint-storage': 'is not supported: br keeps its checkpoint in its usual place',
  online: 'is not supported: nothing is promised of the data of a cluster that is in use',
  'no-schema': 'is not supported: it would write into tables that exist',
  'protect-tables': 'is left to br',
  'reset-sys-users': 'is left to br, which keeps root and cloud_admin of the target',
  'keyspace-name': 'is not supported',
  'restore-phase': 'is not supported',
  'region-scan-concurrency': 'is left to br',
  filter: PART,
  db: PART,
  table: PART,
  'restored-ts': OF_A_POINT,
  'start-ts': OF_A_POINT,
  'full-backup-storage': OF_A_POINT,
  'pitr-batch-count': 'is left to br',
  'pitr-batch-size': 'is left to br',
  'pitr-concurrency': 'is left to br',
};

/**
 * What is wrong with the options of a restore, each under the name of its field.
 *
 * @param brVersion of the `br` that is to run, such as v8.5.0, where it is known: an option that it does not take is one
 *   violation more
 */
export function restoreOptionsViolations(options: GivenRestoreOptions, brVersion?: string): FieldViolation[] {
  const { rateLimit = 0, placementPolicies = '', loadStats = true, filter = [], extra = {} } = options;
  const found: FieldViolation[] = [];
  const require = (fine: boolean, field: string, description: string) => {
    if (!fine) found.push({ field, description });
  };
  require(isWholeTo(rateLimit, MAX_RATE_LIMIT), 'rateLimit', `must be a whole number from 0 to ${MAX_RATE_LIMIT}`);
  require(['', 'strict', 'ignore'].includes(placementPolicies), 'placementPolicies', 'must be strict or ignore');
  require(loadStats ||
    brVersion === undefined ||
    !isBefore(
      brVersion,
      FIRST_WITH_LOAD_STATS,
    ), 'loadStats', `cannot be false with br ${brVersion}, which brings statistics back whenever the backup has them`);
  require(filter.length === 0 ||
    options.withSystemTables !==
      true, 'withSystemTables', 'must be left out beside "filter": users and grants come back with the whole backup alone');
  found.push(...tableFilterViolations(filter, 'filter'));
  const flags = flagViolations(extra, 'brOptions', { allowed: EXTRA, elsewhere: ELSEWHERE });
  return [...found, ...flags, ...(flags.length === 0 && brVersion !== undefined ? untakenFlags(extra, brVersion) : [])];
}

/** What a restore to a point in time does not take, beside what no restore takes. */
export function pointOptionsViolations({
  filter = [],
  withSystemTables = false,
}: GivenRestoreOptions): FieldViolation[] {
  return [
    ...(filter.length > 0
      ? [{ field: 'filter', description: 'must be left out: br brings the whole cluster back to a point in time' }]
      : []),
    ...(withSystemTables
      ? [{ field: 'withSystemTables', description: 'must be left out: br brings no users and grants back to a point' }]
      : []),
  ];
}

function untakenFlags(extra: Readonly<Record<string, string>>, brVersion: string): FieldViolation[] {
  const version = readVersion(brVersion);
  if (!version) return [];
  return Object.keys(extra).flatMap((name): FieldViolation[] => {
    const { since, before } = EXTRA[name] ?? {};
    const field = `brOptions.${name}`;
    if (since && compareVersions(version, since) < 0)
      return [{ field, description: `is not known to br ${brVersion}: it came with v${since.join('.')}` }];
    if (before && compareVersions(version, before) >= 0)
      return [{ field, description: `is not for br ${brVersion}: give tikv-max-restore-concurrency` }];
    return [];
  });
}
