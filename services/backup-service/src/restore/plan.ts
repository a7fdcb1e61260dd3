/** What a restore would do, and what stands in its way, as far as the records say; pure. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { storageFlags } from '@tidemark/br-options/command-line';
import { type PlanCheck as FoundCheck, planChecks } from '@tidemark/br-restore/plan-checks';
import type { Backup } from '../backup.ts';
import { toSnapshotMessage } from '../registry-message.ts';
import type { ClusterDocument } from '../registry-store.ts';
import type { RestoreOptions, RestorePoint, RestoreSource, RestoreTarget } from './restore.ts';

/** `blocked` can be passed over by its name, once a person has looked; `unknown` shows when `br` begins. */
export interface PlanCheck {
  readonly name: string;
  readonly result: 'ok' | 'warn' | 'blocked' | 'unknown';
  readonly message: string;
}

export interface Plan {
  /** Of all that is shown: a start with another one is refused. */
  readonly hash: string;
  readonly source: RestoreSource;
  readonly target: RestoreTarget;
  readonly options: RestoreOptions;
  readonly checks: readonly PlanCheck[];
}

/**
 * @param backup a good one
 * @param known `tidbClusterId`: the id that TiDB gave the target, decimal; `otherPd`: PDs of its other registrations; `point`: what is
 *   restored, where that is not the backup alone
 */
export function planRestore(
  backup: Backup,
  cluster: ClusterDocument,
  options: RestoreOptions,
  now: Date,
  {
    tidbClusterId,
    otherPd = [],
    point,
  }: {
    readonly tidbClusterId?: string | undefined;
    readonly otherPd?: readonly string[];
    readonly point?: RestorePoint | undefined;
  } = {},
): Plan {
  const source = { ...sourceOf(backup), ...(point && { point }) };
  const target = targetOf(cluster, tidbClusterId, otherPd);
  return {
    hash: hashOf(source, target, options),
    source,
    target,
    options,
    checks: [
      ...checksOf(backup, source, target, options, now),
      sourceSound(backup),
      ...(point ? [oneWayIn(source, point)] : []),
    ],
  };
}

/** The cluster that is restored into, as its restores keep it. */
function targetOf(
  { _id, pd, version, pool, tls, purpose = 'production', restore }: ClusterDocument,
  tidbClusterId: string | undefined,
  otherPd: readonly string[],
): RestoreTarget {
  const strictLoss = restore?.strictLoss ?? false;
  const known = { ...(otherPd.length > 0 && { otherPd }), ...(tidbClusterId !== undefined && { tidbClusterId }) };
  return { clusterId: _id, pd, ...known, version, pool, ...(tls && { tls }), purpose, strictLoss };
}

/** The backup that is read, as its restores keep it. */
export function sourceOf({ _id, clusterId, path, storage, result, target }: Backup): RestoreSource {
  const { crypterMethod = '', crypterKeyFile = '' } = target.brOptions ?? {};
  return {
    backupId: _id,
    clusterId,
    upstreamClusterId: result?.tidbClusterId ?? '0',
    path,
    storage,
    tso: result?.tso ?? '0',
    sizeBytes: result?.sizeBytes ?? 0,
    clusterVersion: result?.clusterVersion ?? '',
    ...(crypterMethod !== '' && { crypter: { method: crypterMethod, keyFile: crypterKeyFile } }),
  };
}

function hashOf(source: RestoreSource, target: RestoreTarget, options: RestoreOptions): string {
  const { storage, point, ...rest } = source;
  // What a backup of the target, or another registration of it, told meanwhile makes no other cluster of it.
  const { tidbClusterId: _, otherPd: __, ...cluster } = target;
  const extra = Object.entries(options.extra).sort(([one], [other]) => (one < other ? -1 : 1));
  return createHash('sha256')
    .update(
      JSON.stringify([
        rest,
        storage.id,
        cluster,
        { ...options, extra },
        ...(point ? [{ ...point, storage: point.storage.id }] : []),
      ]),
    )
    .digest('hex')
    .slice(0, 32);
}

/** What is on record of both clusters; the catalogue of the backup is read by the worker, before it starts `br`. */
function checksOf(backup: Backup, source: RestoreSource, target: RestoreTarget, options: RestoreOptions, now: Date) {
  const { tidbClusterId } = target;
  const { withSystemTables, withoutStats, placementPolicies, waitTiflashReady, rateLimit, filter, extra } = options;
  const found = planChecks({
    source: {
      clusterId: source.clusterId,
      pd: backup.target.pd,
      tso: BigInt(source.tso),
      tidbClusterId: BigInt(source.upstreamClusterId),
      clusterVersion: source.clusterVersion,
      catalogue: undefined,
      sizeBytes: BigInt(source.sizeBytes),
      tableChecksums: backup.target.brOptions?.checksum ?? false,
    },
    target: {
      ...target,
      pd: [...target.pd, ...(target.otherPd ?? [])],
      tidbClusterId: tidbClusterId ? BigInt(tidbClusterId) : undefined,
      newCollations: undefined,
    },
    brVersion: undefined,
    options: {
      ...{ withSystemTables, placementPolicies, rateLimit, filter, extra },
      loadStats: !withoutStats,
      waitTiFlashReady: waitTiflashReady,
    },
    now,
  });
  return found.map(
    ({ code, level, sentence }): PlanCheck => ({ name: code, result: RESULTS[level], message: sentence }),
  );
}

const RESULTS = {
  blocked: 'blocked',
  acknowledge: 'blocked',
  warning: 'warn',
  unknown: 'unknown',
  ok: 'ok',
} as const satisfies Record<FoundCheck['level'], PlanCheck['result']>;

/** The check that is about what is known of the files of the backup. */
export const SOURCE_SOUND = 'sourceSound';
/** The check that is about tables which the target has already, where a filter chooses what is restored. */
export const EXISTING_TABLES = 'existingTables';

/** What a verification found last that counts. */
function sourceSound({ verification }: Backup): PlanCheck {
  const name = SOURCE_SOUND;
  const { counts } = verification ?? {};
  if (!counts)
    return {
      name,
      result: 'warn',
      message:
        'The backup was not verified since it was taken: POST /backups/{id}/verify says whether its files are what was written.',
    };
  const found = `${counts.sentence} So it was found at ${counts.at.toISOString()}.`;
  if (counts.state === 'Good') return { name, result: 'ok', message: found };
  return { name, result: 'blocked', message: `${found} Restore another backup, or acknowledge "${name}".` };
}

/** `br` takes one set of keys, and one of each flag such as the endpoint, for backup and log. */
function oneWayIn({ storage }: RestoreSource, point: RestorePoint): PlanCheck {
  const name = 'oneWayIn';
  const [ofBackup, ofLog] = [toSnapshotMessage(storage), toSnapshotMessage(point.storage)];
  const isOne =
    storage.id === point.storage.id ||
    ofBackup.location?.$case !== ofLog.location?.$case ||
    (isDeepStrictEqual(storageFlags(ofBackup), storageFlags(ofLog)) &&
      isDeepStrictEqual(storage.credentials, point.storage.credentials));
  if (isOne) return { name, result: 'ok', message: 'br can enter the storages of backup and log at once.' };
  return {
    name,
    result: 'blocked',
    message: `The backup is in storage ${storage.id} and the log in ${point.storage.id}, which have credentials, an endpoint or a region of their own, and br takes one of each for both. Acknowledge "${name}" if those of ${storage.id} open both.`,
  };
}

/** What the TiKVs of a target said of their garbage collection around an earlier restore. */
export interface CollectionSeen {
  readonly at: Date;
  /** Status addresses of those where it was off; none: it was on. */
  readonly off: readonly string[];
}

/** A restore to a point in time that ended in the middle leaves it off; the next one is told before it begins. */
export function garbageCollection(seen: CollectionSeen | undefined): PlanCheck {
  const name = 'garbageCollection';
  const asked =
    'Each TiKV of the target is asked before br begins, and "cleanup" of the restore names those that collect no garbage then.';
  if (!seen || seen.off.length === 0) return { name, result: 'unknown', message: asked };
  return {
    name,
    result: 'warn',
    message: `TiKV collected no garbage at ${seen.off.join(', ')} at ${seen.at.toISOString()}, when an earlier restore saw it last. Where that is still so, set it back: SET CONFIG tikv \`gc.ratio-threshold\` = 1.1; ${asked}`,
  };
}
