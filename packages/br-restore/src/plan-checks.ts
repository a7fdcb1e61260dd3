/**
 * Whether a restore can be expected to succeed, and what somebody should know before it starts: from what is on record of the
 * backup or in its catalogue, the registration of the target, and the version of the `br` that would run. Pure.
 *
 * What only `br` can see (tables of users in the target, its free space, changefeeds, a log backup) `br` looks for itself, before
 * it writes anything.
 */
import { type GivenRestoreOptions, restoreOptionsViolations } from '@tidemark/br-options/restore-options';
import { compareVersions, isBefore, readVersion, type Version } from '@tidemark/br-options/version';
import {
  addsUpChecksums,
  checkpointPlace,
  FIRST_REFUSING_TABLES,
  FIRST_RESTORE,
  looksForTables,
  refusesTables,
} from './versions.ts';

/** What came of a check. */
export interface PlanCheck {
  /** A short constant, such as sameCluster. */
  readonly code: string;
  /**
   * `blocked`: the restore would fail. `acknowledge`: it may do harm that nothing else prevents; whoever starts it says that they
   * know, by the code. `warning`: to be known. `unknown`: it shows when `br` begins. `ok`: all is well.
   */
  readonly level: 'blocked' | 'acknowledge' | 'warning' | 'unknown' | 'ok';
  readonly sentence: string;
}

/** What only the catalogue of a backup says of it. */
export interface PlanCatalogue {
  /** The snapshot that it builds on; 0 for a full backup. */
  readonly startTso: bigint;
  /** Whether texts were compared by the new collations; undefined where it does not say. */
  readonly newCollations: boolean | undefined;
  /** Whether it is of keys without tables. */
  readonly ofKeys: boolean;
}

/** A backup, as it is on record. */
export interface PlanSource {
  /** The cluster that it is of, by its id in Tidemark. */
  readonly clusterId: string;
  /** PDs that this cluster had. */
  readonly pd: readonly string[];
  /** The snapshot. */
  readonly tso: bigint;
  readonly tidbClusterId: bigint;
  readonly clusterVersion: string;
  /** Undefined where it was not read. */
  readonly catalogue: PlanCatalogue | undefined;
  readonly sizeBytes: bigint;
  /** Whether checksums of its tables were taken; undefined where nobody knows. */
  readonly tableChecksums: boolean | undefined;
}

/** The cluster to restore into, as it is registered. */
export interface PlanTarget {
  readonly clusterId: string;
  readonly pd: readonly string[];
  /** Such as 8.5.0; empty where it is not registered. */
  readonly version: string;
  /** The id that TiDB gave it, and whether it has the new collations; undefined where nobody knows. */
  readonly tidbClusterId: bigint | undefined;
  readonly newCollations: boolean | undefined;
}

export interface PlanFacts {
  readonly source: PlanSource;
  readonly target: PlanTarget;
  /** Of the `br` that would run; undefined where that is not known: then it is taken to be of the target's version. */
  readonly brVersion: string | undefined;
  readonly options: GivenRestoreOptions;
  readonly now: Date;
}

/** From this version on a `br` refuses TiKV of an earlier one. */
const REFUSES_OLDER: Version = [8, 2, 0];
/** From this version on system tables come back into the same version or a later one. */
const FIRST_WITH_SYSTEM_TABLES: Version = [7, 5, 0];
/** Before, `br` did not look whether there is room. */
const FIRST_WITH_SPACE_CHECK: Version = [8, 3, 0];
const TSO_LOGICAL_BITS = 18n;

/** All checks, in the order in which they are shown; those that do not apply are left out. */
export function planChecks(facts: PlanFacts): PlanCheck[] {
  const brVersion = facts.brVersion ?? (facts.target.version === '' ? undefined : `v${plain(facts.target.version)}`);
  return [
    sourceKind(facts),
    snapshot(facts),
    sameCluster(facts),
    facts.brVersion === undefined ? undefined : br(facts.brVersion, facts),
    versions(facts),
    collation(facts),
    ...(isPart(facts) ? ofPart(brVersion) : []),
    ...(brVersion === undefined ? [] : ofBr(brVersion, facts)),
    systemTables(facts),
    ...options(facts, brVersion),
  ].filter((found) => found !== undefined);
}

const isPart = ({ options: { filter = [] } }: Pick<PlanFacts, 'options'>) => filter.length > 0;

const plain = (version: string) => version.replace(/^v/, '');

/** Of a restore of a part of the backup: its target may be in use. */
const ofPart = (brVersion: string | undefined): PlanCheck[] => [existingTables(brVersion), targetInUse()];

const ofBr = (brVersion: string, facts: PlanFacts): PlanCheck[] => [
  ...(isPart(facts) ? [] : [targetEmpty(brVersion, facts)]),
  space(brVersion, facts),
  checkpoint(brVersion, facts),
  checksums(brVersion, facts),
];

const check =
  (code: string) =>
  (level: PlanCheck['level'], sentence: string): PlanCheck => ({ code, level, sentence });

function sourceKind({ source }: PlanFacts): PlanCheck {
  const says = check('sourceKind');
  if (source.catalogue?.ofKeys) return says('blocked', 'The backup is of raw keys and not of TiDB.');
  if (source.catalogue && source.catalogue.startTso !== 0n)
    return says('blocked', 'The backup is an incremental one, which is not restored by itself.');
  if (source.sizeBytes === 0n) return says('warning', 'The backup says that it holds no data.');
  return says('ok', 'It is a full backup.');
}

function snapshot({ source, now }: PlanFacts): PlanCheck | undefined {
  const at = new Date(Number(source.tso >> TSO_LOGICAL_BITS));
  if (at <= now) return undefined;
  return check('snapshot')(
    'warning',
    `The snapshot is of ${at.toISOString()}, which lies ahead: the clock of its cluster was ahead, and the target will be too.`,
  );
}

function sameCluster({ source, target, options }: PlanFacts): PlanCheck {
  const says = check('sameCluster');
  const shared = target.pd.map(plainPd).find((pd) => source.pd.map(plainPd).includes(pd));
  const why =
    (source.clusterId === target.clusterId && `Cluster ${target.clusterId} is the one that was backed up.`) ||
    (source.tidbClusterId !== 0n &&
      source.tidbClusterId === target.tidbClusterId &&
      `Cluster ${target.clusterId} is the one that was backed up: TiDB calls both ${source.tidbClusterId}.`) ||
    (shared !== undefined &&
      `Cluster ${target.clusterId} has the PD ${shared}, which cluster ${source.clusterId} had when it was backed up: they are one cluster.`);
  if (!why) return says('ok', 'The target is another cluster than the one that was backed up.');
  return says(
    'acknowledge',
    isPart({ options })
      ? `${why} What the filter chooses would come back beside all that is there now: acknowledge "sameCluster" if that is meant.`
      : `${why} A restore needs an empty cluster: register a new one, or acknowledge "sameCluster" if this one was emptied.`,
  );
}

const plainPd = (pd: string) =>
  pd
    .replace(/^https?:\/\//, '')
    .replace(/\/$/, '')
    .toLowerCase();

function br(brVersion: string, { target }: PlanFacts): PlanCheck {
  const says = check('br');
  if (isBefore(brVersion, FIRST_RESTORE))
    return says('blocked', `br ${brVersion} is too old: restores need v${FIRST_RESTORE.join('.')} or later.`);
  const [running, wanted] = [readVersion(brVersion), readVersion(target.version)];
  if (!running || !wanted)
    return says('unknown', 'The version of the target is not registered; br refuses one that does not fit.');
  if (compareVersions(running, REFUSES_OLDER) >= 0 && compareVersions(wanted, REFUSES_OLDER) < 0)
    return says('blocked', `br ${brVersion} refuses TiKV before v8.2; the target has ${target.version}.`);
  if (running[0] < wanted[0] || running[0] > wanted[0] + 1)
    return says('blocked', `br ${brVersion} does not fit a target of version ${target.version}.`);
  if (running[0] !== wanted[0] || running[1] !== wanted[1])
    return says('warning', `br ${brVersion} is of another release than the target (${target.version}).`);
  return says('ok', `br ${brVersion} fits the target.`);
}

function versions({ source, target }: PlanFacts): PlanCheck {
  const says = check('version');
  const [from, to] = [readVersion(source.clusterVersion), readVersion(target.version)];
  if (!from || !to) return says('unknown', 'One of the versions is not known; br compares them when it begins.');
  const pair = `The backup is of version ${source.clusterVersion}, the target has ${target.version}`;
  if (Math.abs(from[0] - to[0]) > 1) return says('blocked', `${pair}: br refuses that.`);
  if (from[0] > to[0])
    return says('acknowledge', `${pair}, which is older: br lets that in, and nobody promises that it works.`);
  if (compareVersions(from, to) > 0)
    return says('warning', `${pair}, which is older: what only the newer one knows cannot come back.`);
  return says('ok', `${pair}.`);
}

function collation({ source: { catalogue }, target }: PlanFacts): PlanCheck {
  const says = check('collation');
  if (!catalogue) return says('unknown', 'br compares the collations of source and target when it begins.');
  const { newCollations } = catalogue;
  if (newCollations === undefined)
    return says('blocked', 'The backup does not say which collations its cluster had, and br refuses it for that.');
  const had = `The cluster of the backup had new_collations_enabled_on_first_bootstrap = ${newCollations}`;
  if (target.newCollations === undefined)
    return says('unknown', `${had}, and the target must have the same: br looks when it begins.`);
  if (newCollations !== target.newCollations)
    return says('blocked', `${had}, the target has another. That cannot be changed later: create the target anew.`);
  return says('ok', 'Both clusters compare texts by the same rules.');
}

function targetEmpty(brVersion: string, { options }: PlanFacts): PlanCheck {
  const says = check('targetEmpty');
  if (looksForTables(brVersion) || options.withSystemTables)
    return says('unknown', 'br refuses a target that holds tables of users, before it writes anything.');
  return says(
    'acknowledge',
    `br ${brVersion} does not look whether the target is empty: it would write into tables that are there. Make sure that there are none, and acknowledge "targetEmpty".`,
  );
}

function existingTables(brVersion: string | undefined): PlanCheck {
  const says = check('existingTables');
  if (brVersion !== undefined && refusesTables(brVersion))
    return says('unknown', 'br refuses tables that the target has already, before it writes anything.');
  const who =
    brVersion === undefined
      ? `The version of the target is not registered, and a br before ${FIRST_REFUSING_TABLES}`
      : `br ${brVersion}`;
  return says(
    'acknowledge',
    `${who} does not look whether the target has tables that the filter chooses: it would write into them, and leave them damaged. Make sure that there are none, and acknowledge "existingTables".`,
  );
}

function targetInUse(): PlanCheck {
  return check('targetInUse')(
    'warning',
    'While br is at work, PD of the target moves no data and TiKV is in import mode: a cluster that is in use is slower until then. The tables that the filter chooses must not be written to.',
  );
}

function space(brVersion: string, { source }: PlanFacts): PlanCheck {
  const says = check('space');
  if (!isBefore(brVersion, FIRST_WITH_SPACE_CHECK))
    return says('unknown', 'br refuses a target without room for the data, before it writes anything.');
  return says(
    'warning',
    `br ${brVersion} does not look whether there is room. All TiKV together need some 1.1 × ${source.sizeBytes} bytes for each replica.`,
  );
}

function checkpoint(brVersion: string, facts: PlanFacts): PlanCheck {
  const says = check('checkpoint');
  switch (checkpointPlace(brVersion)) {
    case 'none':
      return says(
        'warning',
        `br ${brVersion} keeps no checkpoint: a restore that is interrupted cannot go on, and ${isPart(facts) ? 'its tables must be dropped' : 'its target must be made anew'}.`,
      );
    case 'storage':
      return says(
        'warning',
        `br ${brVersion} writes its checkpoint into the storage, below the backup: its credentials must be able to write there.`,
      );
    case 'target':
      return says('ok', 'A restore that is interrupted goes on where it stopped.');
  }
}

function checksums(brVersion: string, { source }: PlanFacts): PlanCheck {
  const says = check('checksums');
  if (addsUpChecksums(brVersion) || source.tableChecksums === true)
    return says('ok', 'br compares the checksums of all tables with those of the backup.');
  return says(
    'warning',
    source.tableChecksums === false
      ? `The backup was made without checksums, and br ${brVersion} then compares none: rows that are wrong would not be noticed.`
      : `Where the backup was made without checksums, br ${brVersion} compares none: rows that are wrong would not be noticed.`,
  );
}

function systemTables({ options, source, target }: PlanFacts): PlanCheck | undefined {
  if (!options.withSystemTables) return undefined;
  const says = check('systemTables');
  const [from, to] = [readVersion(source.clusterVersion), readVersion(target.version)];
  if (!from || !to)
    return says(
      'blocked',
      'Users and grants come back only where both versions are known: leave "withSystemTables" out.',
    );
  if (isBefore(source.clusterVersion, FIRST_WITH_SYSTEM_TABLES) || compareVersions(from, to) > 0)
    return says(
      'blocked',
      `Users and grants come back only from v7.5 on, into the same version or a later one; the backup is of ${source.clusterVersion}, the target has ${target.version}.`,
    );
  return says(
    'warning',
    'Users, their passwords and grants of the target are replaced by those of the backup, but for root and cloud_admin.',
  );
}

function options({ options: given }: PlanFacts, brVersion: string | undefined): PlanCheck[] {
  return restoreOptionsViolations(given, brVersion).map(({ field, description }) =>
    check(`options.${field}`)('blocked', `"${field}" ${description}.`),
  );
}
