/**
 * The collections `drills`, `drill_runs`, `drill_targets` and `drill_proofs`: what is wanted, what became of each window, which run has a
 * cluster, and when a cluster was last proven. Every change of a run is a compare-and-set on its revision (DR2, DR3).
 */
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey, orStoreError } from '@tidemark/mongo/mongo-error';
import type { TokenScope } from '@tidemark/mongo/page-token';
import { createPages, type Page, type PageWish } from '@tidemark/mongo/pages';
import { persist } from '@tidemark/mongo/persist';
import { FIRST_INSTANT, LAST_INSTANT } from '@tidemark/mongo/selection';
import type { Window } from '@tidemark/schedule/window';
import type { Db } from 'mongodb';
import type { Drill } from './decide/drill.ts';
import { type DrillRun, type DrillRunState, isDecided } from './decide/run.ts';

export const DRILL_INDEXES: readonly IndexSpec[] = [
  { collection: 'drills', keys: { 'nextWindow.opensAt': 1 } },
  { collection: 'drill_runs', keys: { state: 1, nextTryAt: 1 } },
  { collection: 'drill_runs', keys: { clusterId: 1, opensAt: -1, _id: -1 } },
  { collection: 'drill_runs', keys: { restoreId: 1 } },
  { collection: 'drill_runs', keys: { decidedAt: 1 } },
  { collection: 'drill_proofs', keys: { writtenAt: 1 } },
];

/** When a cluster was last proven; its `_id` is the cluster. */
export interface DrillProof {
  readonly _id: string;
  readonly time: Date;
  readonly seconds: number;
  readonly backupId: string;
  readonly restoreId: string;
  /** The moment of a log that was restored; null where a backup alone was, and absent in records of earlier versions. */
  readonly pointAt?: Date | null;
  /** When it was written down. */
  readonly writtenAt: Date;
}

/** What became of a run. */
export type DrillOutcome = Pick<DrillRun, '_id' | 'clusterId' | 'state' | 'decidedAt'>;

export interface RunFilter {
  readonly clusterId: string;
  /** None means all. */
  readonly states: readonly DrillRunState[];
}

/** Every method throws `unavailable` when the database does. */
export interface DrillStore {
  get(clusterId: string, signal: AbortSignal): Promise<Drill | undefined>;
  /** Changes one, or makes it; `change` may be called more than once, and answers undefined for no change. */
  change(
    clusterId: string,
    change: (before: Drill | undefined) => Drill | undefined,
    signal: AbortSignal,
  ): Promise<Drill | undefined>;
  /** Whether it was there. */
  remove(clusterId: string, signal: AbortSignal): Promise<boolean>;
  /** Those whose next window has opened. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<Drill[]>;
  /** Plans the next window, unless another copy did. */
  advance(drill: Drill, next: Window | null): Promise<boolean>;
  /** Whether this call made it; false when another did before. */
  insertRun(run: DrillRun): Promise<boolean>;
  getRun(id: string, signal: AbortSignal): Promise<DrillRun | undefined>;
  latestRun(clusterId: string, signal: AbortSignal): Promise<DrillRun | undefined>;
  /** Those that are not decided and due to be looked at. */
  findOpen(now: Date, limit: number, signal: AbortSignal): Promise<DrillRun[]>;
  /** The run as it is written now, with its revision grown; undefined where somebody else wrote it since it was read. */
  writeRun(before: DrillRun, after: DrillRun): Promise<DrillRun | undefined>;
  /** Whether a drill began the restore. */
  isOfDrill(restoreId: string, signal: AbortSignal): Promise<boolean>;
  /** A page, newest first. @throws AppError as `Pages.read` */
  listRuns(filter: RunFilter, page: PageWish, now: Date, signal: AbortSignal): Promise<Page<DrillRun>>;
  /** Whether the run has the target now: it was free, or its holder is over (DR4). */
  takeTarget(run: DrillRun, signal: AbortSignal): Promise<boolean>;
  /** Of a run that is decided. */
  giveTargetBack(run: DrillRun): Promise<void>;
  /** Remembers that a cluster was proven; an older proof changes nothing. */
  prove(proof: DrillProof): Promise<void>;
  getProof(clusterId: string, signal: AbortSignal): Promise<DrillProof | undefined>;
  /** Those that were written since; all where that is left out. */
  findProofs(since: Date | undefined, signal: AbortSignal): Promise<DrillProof[]>;
  /** Every drill, in no order. */
  scan(signal: AbortSignal): AsyncIterable<Drill>;
  /** What became of each run that was decided after. */
  scanOutcomes(after: Date, signal: AbortSignal): AsyncIterable<DrillOutcome>;
  /** Forgets runs that were decided before. */
  removeRunsBefore(before: Date): Promise<void>;
}

interface HeldTarget {
  readonly _id: string;
  readonly runId: string;
}

const EPOCH = new Date(0);

export function createDrillStore(db: Db): DrillStore {
  const drills = db.collection<Drill>('drills');
  const runs = db.collection<DrillRun>('drill_runs');
  const targets = db.collection<HeldTarget>('drill_targets');
  const proofs = db.collection<DrillProof>('drill_proofs');
  const pages = createPages(runs, { time: 'opensAt' });

  /** Whether it was written; false where it was there already. */
  const unlessThere = async (write: () => Promise<unknown>): Promise<boolean> => {
    try {
      await write();
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  };
  const getRun = async (_id: string, signal: AbortSignal) => (await runs.findOne({ _id }, { signal })) ?? undefined;

  return {
    get: (_id, signal) => orStoreError(async () => (await drills.findOne({ _id }, { signal })) ?? undefined),
    change: (_id, change, signal) =>
      persist<Drill | undefined>(signal, async () => {
        const before = (await drills.findOne({ _id }, { signal })) ?? undefined;
        const after = change(before);
        if (!after) return before;
        const isWritten = before
          ? (await drills.replaceOne({ _id, revision: before.revision }, after)).matchedCount === 1
          : await unlessThere(() => drills.insertOne(after));
        return isWritten ? after : 'again';
      }),
    remove: (_id, signal) => persist(signal, async () => (await drills.deleteOne({ _id })).deletedCount > 0),
    findDue: (now, limit, signal) =>
      orStoreError(() =>
        drills
          .find({ 'nextWindow.opensAt': { $gt: EPOCH, $lte: now } }, { signal })
          .sort({ 'nextWindow.opensAt': 1 })
          .limit(limit)
          .toArray(),
      ),
    advance: ({ _id, revision, nextWindow: taken }, nextWindow) =>
      orStoreError(async () => {
        const filter = { _id, revision, ...(taken && { 'nextWindow.opensAt': taken.opensAt }) };
        return (await drills.updateOne(filter, { $set: { nextWindow } })).matchedCount === 1;
      }),
    insertRun: (run) => orStoreError(() => unlessThere(() => runs.insertOne(run))),
    getRun: (id, signal) => orStoreError(() => getRun(id, signal)),
    latestRun: (clusterId, signal) =>
      orStoreError(
        async () => (await runs.find({ clusterId }, { signal }).sort({ opensAt: -1, _id: -1 }).limit(1).toArray())[0],
      ),
    findOpen: (now, limit, signal) =>
      orStoreError(async () => {
        const due = (state: DrillRunState) =>
          runs
            .find({ state, nextTryAt: { $gt: EPOCH, $lte: now } }, { signal })
            .sort({ nextTryAt: 1 })
            .limit(limit)
            .toArray();
        return [...(await due('Running')), ...(await due('Pending'))];
      }),
    writeRun: ({ _id, revision }, after) =>
      orStoreError(async () => {
        const written = { ...after, revision: revision + 1 };
        const { matchedCount } = await runs.replaceOne({ _id, revision }, written);
        return matchedCount === 1 ? written : undefined;
      }),
    isOfDrill: (restoreId, signal) =>
      orStoreError(async () => (await runs.findOne({ restoreId }, { signal })) !== null),
    listRuns: ({ clusterId, states }, wish, now, signal) =>
      orStoreError(() =>
        pages.read(
          {
            ...{ from: FIRST_INSTANT, until: LAST_INSTANT, isCountedWhole: false, parts: [{ clusterId }] },
            rest: states.length > 0 ? { state: { $in: [...states] } } : {},
          },
          wish,
          now,
          signal,
        ),
      ),
    takeTarget: ({ _id: runId, targetClusterId: _id }, signal) =>
      orStoreError(async () => {
        if (await unlessThere(() => targets.insertOne({ _id, runId }))) return true;
        const held = await targets.findOne({ _id }, { signal });
        if (held?.runId === runId) return true;
        // Given back just now: the next try has it.
        if (!held) return false;
        const holder = await getRun(held.runId, signal);
        if (holder && !isDecided(holder)) return false;
        return (await targets.updateOne({ _id, runId: held.runId }, { $set: { runId } })).matchedCount === 1;
      }),
    giveTargetBack: ({ _id: runId, targetClusterId: _id }) =>
      orStoreError(async () => void (await targets.deleteOne({ _id, runId }))),
    prove: (proof) =>
      orStoreError(async () => {
        const { _id, ...fields } = proof;
        if (await unlessThere(() => proofs.insertOne(proof))) return;
        await proofs.updateOne({ _id, time: { $lt: proof.time } }, { $set: fields });
      }),
    getProof: (_id, signal) => orStoreError(async () => (await proofs.findOne({ _id }, { signal })) ?? undefined),
    findProofs: (since, signal) =>
      orStoreError(() => proofs.find({ writtenAt: { $gt: since ?? EPOCH } }, { signal }).toArray()),
    scan: (signal) => drills.find({}, { signal }),
    scanOutcomes: (after, signal) =>
      runs.find({ decidedAt: { $gt: after } }, { projection: { clusterId: 1, state: 1, decidedAt: 1 }, signal }),
    removeRunsBefore: (before) =>
      orStoreError(async () => void (await runs.deleteMany({ decidedAt: { $gt: EPOCH, $lte: before } }))),
  };
}

/** What a page token of runs holds for. */
export function toRunScope({ clusterId, states }: RunFilter): TokenScope {
  return { list: 'd1', filters: [clusterId, [...states].sort()] };
}
