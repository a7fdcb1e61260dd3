/**
 * Who has a real cluster by another registration than the one that is asked for; within one registration the unique `activeKey` keeps
 * any two apart.
 *
 * O1. Who wants a cluster is on record first, then looks who else is, and only then may be given to a worker: a restore looks before its
 *     source is held, a backup when it is claimed. So of two that want a cluster at one moment at least one sees the other, whatever
 *     was registered meanwhile.
 * O2. Who sees another lets it have the cluster, a restore by ending untouched, a backup by waiting: both may give way, and never does
 *     neither. What was seen when it was asked for is refused at once; that is a courtesy.
 * O3. A restore is kept away by any other, and keeps everybody away also while its target is Partial. A backup is kept away by restores alone.
 * O4. They are compared by what was on record when they were accepted, which is where their `br` goes. A restore also has on record which
 *     PDs the other registrations of its target had then, so that it is known over a chain of them, too.
 */
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { persist } from '@tidemark/mongo/persist';
import type { Db, Document } from 'mongodb';
import { clusterKey } from './decide/vocabulary.ts';
import { type RealCluster, whyOne } from './real-cluster.ts';

export const OCCUPANT_INDEXES: readonly IndexSpec[] = [{ collection: 'backups', keys: { kind: 1, activeKey: 1 } }];

/** A backup or a restore that has the cluster by another registration. */
export interface Elsewhere {
  readonly kind: 'backup' | 'restore';
  readonly id: string;
  readonly clusterId: string;
  readonly state: string;
  /** Of a restore. */
  readonly targetState?: string;
  /** Why both registrations are of one cluster. */
  readonly why: string;
}

/** Every method throws `unavailable` when the database does. */
export interface Occupants {
  /** A restore by another registration that is active, or left the cluster Partial. */
  restoreIn(cluster: RealCluster, signal: AbortSignal): Promise<Elsewhere | undefined>;
  /** The same, or an active backup. */
  anyIn(cluster: RealCluster, signal: AbortSignal): Promise<Elsewhere | undefined>;
}

const PLACE = [
  'clusterId',
  'target.clusterId',
  'target.pd',
  'target.otherPd',
  'target.tidbClusterId',
  'state',
  'targetState',
];
const PROJECTION = Object.fromEntries(
  ['kind', ...PLACE, ...PLACE.map((field) => `restore.${field}`)].map((f) => [f, 1]),
);

/** Over the collection `backups`, which it only reads. */
export function createOccupants(db: Db): Occupants {
  const backups = db.collection<Document & { readonly _id: string }>('backups');
  const ofAny = { $gte: clusterKey(''), $lt: `${clusterKey('')}\uffff` };

  const find = (cluster: RealCluster, only: object, signal: AbortSignal) =>
    persist(signal, async () => {
      const all = backups.find({ ...only, activeKey: ofAny }, { projection: PROJECTION, signal });
      for await (const stored of all) {
        const elsewhere = toElsewhere(stored, cluster);
        if (elsewhere) return elsewhere;
      }
      return undefined;
    });
  return {
    restoreIn: (cluster, signal) => find(cluster, { kind: 'restore' }, signal),
    anyIn: (cluster, signal) => find(cluster, {}, signal),
  };
}

/** What a cluster is taken by, as a sentence for a record, which those see who see the record. */
export function sentenceOf({ clusterId }: RealCluster, { kind, state, why }: Elsewhere): string {
  return `Cluster ${clusterId} is also registered under another name (${why}), and a ${kind} has it there (${state}).`;
}

function toElsewhere({ _id, kind, ...stored }: Document & { readonly _id: string }, cluster: RealCluster) {
  const fields: Document = (kind === 'restore' ? stored.restore : stored) ?? {};
  // A damaged record may lack any of it.
  const { pd = [], otherPd, tidbClusterId, clusterId = fields.clusterId ?? '' } = fields.target ?? {};
  if (clusterId === cluster.clusterId || !Array.isArray(pd)) return undefined;
  const others = Array.isArray(otherPd) && { otherPd: otherPd.map(String) };
  const why = whyOne(cluster, { clusterId, pd: pd.map(String), ...others, tidbClusterId });
  if (why === undefined) return undefined;
  const { state = '', targetState } = fields;
  const isRestore = kind === 'restore';
  const elsewhere: Elsewhere = {
    ...{ kind: isRestore ? 'restore' : 'backup', id: _id, clusterId, state, why },
    ...(isRestore && { targetState }),
  };
  return elsewhere;
}
