/**
 * Saves of rules, those of one rule together.
 *
 * S1. In one process one save of a rule is written at a time: side by side all but one would miss the revision that another
 *     has just written, again and again.
 * S2. What came meanwhile is written at once: each change is made on top of the one before, in the order in which they came,
 *     and what the last one leaves is stored.
 * S3. Each caller is told the rule as its own change left it, once that is stored. A change that is refused stops no other.
 * S4. Nothing is saved for a cluster that is not registered, also beside its deletion (K5).
 * S5. What was written without an answer is known again by the call that wrote it, and not written anew: a save for a certain
 *     revision would be refused for what it did itself.
 */

import { AppError } from '@tidemark/errors/app-error';
import type { Asking, KnownClusters, Standing } from './known-clusters.ts';
import type { StrategyDocument } from './strategy.ts';
import { pauseAfterConflict, type StrategyStore, tooManyConflicts } from './strategy-store.ts';

/**
 * What a save makes of a rule; undefined where it changes nothing. It may be asked more than once.
 *
 * @param others every rule of the cluster; empty where `needsRead` is not set and the rule is there
 * @param clusterZone the time zone of the cluster where the rule is not there; empty where it has none
 * @throws AppError that its caller is told
 */
export type Change = (
  before: StrategyDocument | undefined,
  others: readonly StrategyDocument[],
  clusterZone: string,
) => StrategyDocument | undefined;

export interface Save {
  readonly clusterId: string;
  readonly rule: string;
  readonly change: Change;
  /** What is stored must be read for it: it looks at the other rules, or holds for one revision, which any copy may have passed. */
  readonly needsRead: boolean;
  /** For whom the registry is asked. */
  readonly asking: Omit<Asking, 'signal'>;
}

export interface Saved {
  readonly strategy: StrategyDocument | undefined;
  readonly changed: boolean;
}

interface Waiting extends Save {
  readonly settled: PromiseWithResolvers<Saved>;
}

/** How long writing may take, whoever waits for it. */
const LIMIT_MS = 10_000;
const MOST_CONFLICTS = 30;

/**
 * @param reserve makes room for a rule that is new to its cluster
 * @returns saves a rule
 */
export function createSavesTogether(
  store: Pick<StrategyStore, 'ofClusters' | 'write' | 'remove'>,
  clusters: Pick<KnownClusters, 'require' | 'ask' | 'stillStands'>,
  reserve: (clusterId: string, rule: string, signal: AbortSignal) => Promise<void>,
): (id: string, save: Save) => Promise<Saved> {
  const queues = new Map<string, Waiting[]>();

  async function writeAll(id: string, queue: Waiting[]): Promise<void> {
    let last: StrategyDocument | undefined;
    while (queue.length > 0) {
      const batch = queue.splice(0);
      try {
        last = await write(batch, last);
      } catch (error) {
        last = undefined;
        for (const { settled } of batch) settled.reject(error);
      }
    }
    queues.delete(id);
  }

  /** @param last what the batch before left. @returns what this one leaves */
  async function write(
    batch: readonly Waiting[],
    last: StrategyDocument | undefined,
  ): Promise<StrategyDocument | undefined> {
    const [first] = batch;
    if (!first) return last;
    const { clusterId, rule } = first;
    const signal = AbortSignal.timeout(LIMIT_MS);
    const asking = { ...first.asking, signal };
    let unanswered: Written | undefined;
    for (let tries = 1; tries <= MOST_CONFLICTS; tries += 1) {
      const known = tries === 1 && !batch.some(({ needsRead }) => needsRead) ? last : undefined;
      const standing = await clusters.require(clusterId, asking);
      const others = known ? [] : await store.ofClusters([clusterId], signal);
      const before = known ?? others.find((one) => one.rule === rule);
      if (before && unanswered && isSame(before, unanswered.after)) {
        if (unanswered.isNew) await requireStill(standing, before, asking);
        unanswered.tell();
        return before;
      }
      const cluster = before ? undefined : (standing.cluster ?? (await clusters.ask(clusterId, asking)));
      const { after, tell } = changeAll(batch, before, others, cluster?.timeZone ?? '');
      if (after && after !== before) {
        if (!before) await reserve(clusterId, rule, signal);
        if (!(await store.write(before, after))) {
          unanswered = { after, tell, isNew: !before };
          await pauseAfterConflict(tries, signal);
          continue;
        }
        if (!before) await requireStill(standing, after, asking);
      }
      tell();
      return after;
    }
    throw tooManyConflicts(clusterId);
  }

  /** @throws AppError `cluster_not_found` where the cluster of a new rule was deleted meanwhile; then the rule is gone, too */
  async function requireStill(before: Standing, made: StrategyDocument, asking: Asking): Promise<void> {
    if (await clusters.stillStands(made.clusterId, before, asking)) return;
    await store.remove(made);
    throw unknownCluster(made.clusterId);
  }

  return (id, save) => {
    const waiting = { ...save, settled: Promise.withResolvers<Saved>() };
    const queue = queues.get(id);
    if (queue) queue.push(waiting);
    else {
      const own = [waiting];
      queues.set(id, own);
      void writeAll(id, own);
    }
    return waiting.settled.promise;
  };
}

/** What was written, or not: somebody else was quicker, or nobody knows. */
interface Written {
  readonly after: StrategyDocument;
  readonly isNew: boolean;
  tell(): void;
}

function isSame(one: StrategyDocument, other: StrategyDocument): boolean {
  return one.revision === other.revision && one.savedIn !== undefined && one.savedIn === other.savedIn;
}

function changeAll(
  batch: readonly Waiting[],
  before: StrategyDocument | undefined,
  others: readonly StrategyDocument[],
  clusterZone: string,
): { readonly after: StrategyDocument | undefined; tell(): void } {
  let after = before;
  const outcomes = batch.map(({ change, settled }) => {
    try {
      const next = change(after, others, clusterZone);
      after = next ?? after;
      const saved = { strategy: after, changed: next !== undefined };
      return () => settled.resolve(saved);
    } catch (error) {
      return () => settled.reject(error);
    }
  });
  return {
    after,
    tell() {
      for (const settle of outcomes) settle();
    },
  };
}

function unknownCluster(clusterId: string): AppError {
  return new AppError('cluster_not_found', `There is no cluster ${clusterId}.`, { info: { clusterId } });
}
