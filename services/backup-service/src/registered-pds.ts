/**
 * Which registrations have PDs of one real cluster, without a walk over all of them for each question.
 *
 * RP1. What is kept only proposes: an answer is made of records that were read for it.
 * RP2. Each question first reads what was saved since the last one, by `updateTime`, also by copies of earlier versions. It looks back
 *      further than clocks differ and saves take.
 * RP3. The first question reads all; others wait for that reading, and where it fails the next one begins anew.
 */
import { inPieces } from '@tidemark/mongo/in-pieces';
import { orStoreError } from '@tidemark/mongo/mongo-error';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import { raceAbort } from '@tidemark/service-kit/abort';
import { later, plus } from '@tidemark/task/time';
import type { Collection } from 'mongodb';
import { namesakesOf, plainPd } from './real-cluster.ts';
import type { ClusterDocument } from './registry-store.ts';

const LOOKED_BACK_MS = 30_000;
const READ = { projection: { pd: 1, updateTime: 1 }, batchSize: 500 };
const NAMESAKE = { pd: 1, purpose: 1, restore: 1 };

const savedFrom = (time: Date) => ({ updateTime: { $gte: time, $lte: FAR } });

/** Another registration of the same real cluster. */
export type Namesake = Pick<ClusterDocument, '_id' | 'pd' | 'purpose' | 'restore'>;
type WithPd = Pick<ClusterDocument, '_id' | 'pd' | 'updateTime'>;

/** Every method throws `unavailable` when the database does. */
export interface RegisteredPds {
  /** Reads what was saved since it last did, or all, so that questions need not read much. */
  refresh(signal: AbortSignal): Promise<void>;
  /** Other registrations of the cluster, as `namesakesOf` finds them. */
  namesakes(cluster: Pick<ClusterDocument, '_id' | 'pd'>, signal: AbortSignal): Promise<Namesake[]>;
}

export function createRegisteredPds(clusters: Collection<ClusterDocument>): RegisteredPds {
  const pdOf = new Map<string, readonly string[]>();
  const idsOf = new Map<string, Set<string>>();
  let newest = EPOCH;
  let first: Promise<void> | undefined;

  function keep({ _id, pd }: WithPd): void {
    for (const address of pdOf.get(_id) ?? []) {
      const ids = idsOf.get(address);
      ids?.delete(_id);
      if (ids?.size === 0) idsOf.delete(address);
    }
    const addresses = plainOf(pd);
    pdOf.set(_id, addresses);
    for (const address of addresses) idsOf.set(address, (idsOf.get(address) ?? new Set()).add(_id));
  }

  async function readAll(): Promise<void> {
    // What is saved while this reads may lie behind it already.
    const last = await clusters.find(savedFrom(EPOCH)).sort({ updateTime: -1 }).limit(1).next();
    for await (const cluster of clusters.find<WithPd>({}, READ)) keep(cluster);
    newest = last?.updateTime ?? EPOCH;
  }

  async function refresh(signal: AbortSignal): Promise<void> {
    if (first) {
      await raceAbort(first, signal);
      for await (const cluster of clusters.find<WithPd>(savedFrom(plus(newest, -LOOKED_BACK_MS)), {
        ...READ,
        signal,
      })) {
        keep(cluster);
        newest = later(newest, cluster.updateTime);
      }
      return;
    }
    first = readAll();
    first.catch(() => {
      first = undefined;
    });
    await raceAbort(first, signal);
  }

  /** Everybody whom a chain of shared PDs leads to. */
  function proposed(pd: readonly string[]): Set<string> {
    const found = new Set<string>();
    const looked = new Set(plainOf(pd));
    // A set tells also of what is added while it is gone through.
    for (const address of looked)
      for (const id of idsOf.get(address) ?? []) {
        found.add(id);
        for (const another of pdOf.get(id) ?? []) looked.add(another);
      }
    return found;
  }

  async function namesakes(
    { _id: clusterId, pd }: Pick<ClusterDocument, '_id' | 'pd'>,
    signal: AbortSignal,
  ): Promise<Namesake[]> {
    await refresh(signal);
    const ids = [...proposed(pd)].filter((id) => id !== clusterId).sort();
    const others = await inPieces(ids, (some) =>
      clusters
        .find<Namesake>({ _id: { $in: some } }, { projection: NAMESAKE, signal })
        .sort({ _id: 1 })
        .toArray(),
    );
    const sound = others.filter(({ pd: theirs }) => Array.isArray(theirs));
    return namesakesOf(
      pd,
      sound.map((other) => ({ ...other, pd: other.pd.map(String) })),
    );
  }

  return {
    refresh: (signal) => orStoreError(() => refresh(signal)),
    namesakes: (cluster, signal) => orStoreError(() => namesakes(cluster, signal)),
  };
}

/** A damaged record may have no PD. */
function plainOf(pd: unknown): readonly string[] {
  return Array.isArray(pd) ? [...new Set(pd.map((address) => plainPd(String(address))))] : [];
}
