/**
 * Which registrations have PDs of one real cluster, without a walk over all of them for each question.
 *
 * RP1. What is kept only proposes: an answer is made of records that were read for it.
 * RP2. Each question first reads what was saved since the last one, by `updateTime`, also by copies of earlier versions. It looks back
 *      further than clocks differ and saves take, from when the last one was asked: many that were saved at once are not read for ever.
 * RP3. The first question reads all; others wait for that reading, and where it fails the next one begins anew.
 * RP4. All is read again every ten minutes: that forgets who is gone, and finds a save of a copy that stood still before it wrote, which RP2
 *      misses until then.
 */
import { inPieces } from '@tidemark/mongo/in-pieces';
import { orStoreError } from '@tidemark/mongo/mongo-error';
import { FAR } from '@tidemark/mongo/time-range';
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
  /** Reads all anew. */
  refresh(signal: AbortSignal): Promise<void>;
  /** Other registrations of the cluster, as `namesakesOf` finds them. */
  namesakes(cluster: Pick<ClusterDocument, '_id' | 'pd'>, signal: AbortSignal): Promise<Namesake[]>;
}

/** The PDs of all registrations, as they were read. */
interface Known {
  readonly pdOf: Map<string, readonly string[]>;
  readonly idsOf: Map<string, Set<string>>;
  /** What was saved until then was read. */
  until: Date;
}

/** @param now database time */
export function createRegisteredPds(clusters: Collection<ClusterDocument>, now: () => Date): RegisteredPds {
  let known: Known | undefined;
  let reading: Promise<Known> | undefined;

  async function readAll(): Promise<Known> {
    // What is saved while this reads may lie behind it already.
    const fresh: Known = { pdOf: new Map(), idsOf: new Map(), until: now() };
    for await (const cluster of clusters.find<WithPd>({}, READ)) keep(fresh, cluster);
    known = fresh;
    return fresh;
  }

  /** One reading at a time, which goes on although who asked for it has gone. */
  const refresh = (signal: AbortSignal): Promise<Known> => {
    reading ??= readAll().finally(() => {
      reading = undefined;
    });
    return raceAbort(reading, signal);
  };

  async function upToDate(signal: AbortSignal): Promise<Known> {
    const read = known ?? (await refresh(signal));
    const askedAt = now();
    // In their order: where this is given up, the next one goes on from there.
    const saved = clusters.find<WithPd>(savedFrom(plus(read.until, -LOOKED_BACK_MS)), { ...READ, signal });
    for await (const cluster of saved.sort({ updateTime: 1 })) {
      keep(read, cluster);
      if (cluster.updateTime < askedAt) read.until = later(read.until, cluster.updateTime);
    }
    read.until = later(read.until, askedAt);
    return read;
  }

  async function namesakes(
    { _id: clusterId, pd }: Pick<ClusterDocument, '_id' | 'pd'>,
    signal: AbortSignal,
  ): Promise<Namesake[]> {
    const ids = [...proposed(await upToDate(signal), pd)].filter((id) => id !== clusterId).sort();
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
    refresh: (signal) =>
      orStoreError(async () => {
        await refresh(signal);
      }),
    namesakes: (cluster, signal) => orStoreError(() => namesakes(cluster, signal)),
  };
}

function keep({ pdOf, idsOf }: Known, { _id, pd }: WithPd): void {
  for (const address of pdOf.get(_id) ?? []) {
    const ids = idsOf.get(address);
    ids?.delete(_id);
    if (ids?.size === 0) idsOf.delete(address);
  }
  const addresses = plainOf(pd);
  pdOf.set(_id, addresses);
  for (const address of addresses) idsOf.set(address, (idsOf.get(address) ?? new Set()).add(_id));
}

/** Everybody whom a chain of shared PDs leads to. */
function proposed({ pdOf, idsOf }: Known, pd: readonly string[]): Set<string> {
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

/** A damaged record may have no PD. */
function plainOf(pd: unknown): readonly string[] {
  return Array.isArray(pd) ? [...new Set(pd.map((address) => plainPd(String(address))))] : [];
}
