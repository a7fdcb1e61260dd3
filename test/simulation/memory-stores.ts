/**
 * The stores of both services in memory, as far as taking up and attending to windows asks.
 *
 * A simulated year makes more than half a million calls, which would take a real database many minutes; the real stores
 * have tests of their own. What matters here is the same: a strategy is changed by compare-and-set of its revision, and
 * an occurrence is inserted, taken up and decided once. Between reading and writing others get their turn.
 */
import { Cluster } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Occurrence } from '../../services/scheduler-service/src/catch-up.ts';
import type { OccurrenceStore } from '../../services/scheduler-service/src/occurrence-store.ts';
import type { KnownClusters } from '../../services/strategy-service/src/known-clusters.ts';
import type { QuotaStore } from '../../services/strategy-service/src/quota-store.ts';
import { type StrategyDocument, strategyId } from '../../services/strategy-service/src/strategy.ts';
import type { StrategyStore } from '../../services/strategy-service/src/strategy-store.ts';
import { Agenda } from './agenda.ts';

const SIBLING_MS = 2 * 86_400_000;
/** More than a cluster's few rules have in that time. */
const LATEST = 100;

export type Strategies = Pick<StrategyStore, 'get' | 'change' | 'write' | 'ofClusters' | 'findDue'>;

export class MemoryStrategies implements Strategies {
  readonly documents = new Map<string, StrategyDocument>();
  readonly #due = new Agenda();

  async get(clusterId: string, rule: string): Promise<StrategyDocument | undefined> {
    return this.documents.get(strategyId(clusterId, rule));
  }

  async change(...[clusterId, rule, change]: Parameters<StrategyStore['change']>) {
    for (;;) {
      const before = await this.get(clusterId, rule);
      const strategy = change(before);
      if (!strategy) return { strategy: before, changed: false };
      if (await this.write(before, strategy)) return { strategy, changed: true };
    }
  }

  async ofClusters(clusterIds: readonly string[]): Promise<StrategyDocument[]> {
    return [...this.documents.values()].filter(({ clusterId }) => clusterIds.includes(clusterId));
  }

  async findDue(now: Date, limit: number): Promise<StrategyDocument[]> {
    const due = this.#due.until(now.getTime()).slice(0, limit);
    return due.flatMap((id) => this.documents.get(id) ?? []);
  }

  /** When the first of them is due; infinite if none is planned. */
  nextStart(): number {
    return this.#due.next();
  }

  async write(before: StrategyDocument | undefined, after: StrategyDocument): Promise<boolean> {
    if (this.documents.get(after._id)?.revision !== before?.revision) return false;
    this.documents.set(after._id, after);
    this.#due.set(after._id, after.nextWindow?.startAt.getTime());
    return true;
  }
}

/** All are there, and none ever goes. */
export const EVERY_CLUSTER: KnownClusters = {
  require: async () => ({ doubt: '', cluster: undefined }),
  ask: async (id) => Cluster.create({ id }),
  stillStands: async () => true,
  doubt: async () => undefined,
};

/** Saves come one after the other here, so that counting is enough. */
export const MEMORY_QUOTAS: QuotaStore = {
  async reserve(_quota, name, most, stored) {
    const names = new Set(await stored());
    return names.has(name) || names.size < most;
  },
  release: async () => undefined,
  drop: async () => undefined,
};

export type Occurrences = Pick<
  OccurrenceStore,
  'insert' | 'get' | 'findPending' | 'findSiblings' | 'takeUp' | 'wait' | 'decide'
>;

export class MemoryOccurrences implements Occurrences {
  readonly documents = new Map<string, Occurrence>();
  /** When each was inserted, in true time. */
  readonly insertedAt = new Map<string, number>();
  readonly #pending = new Agenda();
  readonly #ofCluster = new Map<string, string[]>();
  readonly #time: () => number;

  /** @param time true time, in milliseconds */
  constructor(time: () => number) {
    this.#time = time;
  }

  async insert(occurrence: Occurrence): Promise<boolean> {
    const { _id, clusterId } = occurrence;
    if (this.documents.has(_id)) return false;
    this.documents.set(_id, occurrence);
    this.insertedAt.set(_id, this.#time());
    this.#pending.set(_id, occurrence.nextTryAt.getTime());
    const others = this.#ofCluster.get(clusterId) ?? [];
    others.push(_id);
    this.#ofCluster.set(clusterId, others);
    return true;
  }

  async get(id: string): Promise<Occurrence | undefined> {
    return this.documents.get(id);
  }

  async findPending(now: Date, limit: number): Promise<Occurrence[]> {
    return this.#pending
      .until(now.getTime())
      .flatMap((id) => this.documents.get(id) ?? [])
      .sort((one, other) => +one.lastGoodAt - +other.lastGoodAt || +one.startAt - +other.startAt)
      .slice(0, limit);
  }

  async findSiblings({ clusterId, rule, startAt }: Occurrence): Promise<Occurrence[]> {
    const since = startAt.getTime() - SIBLING_MS;
    return (this.#ofCluster.get(clusterId) ?? [])
      .slice(-LATEST)
      .flatMap((id) => this.documents.get(id) ?? [])
      .filter((other) => other.late && other.rule !== rule && +other.opensAt > since);
  }

  async takeUp({ _id, nextTryAt: before }: Occurrence, nextTryAt: Date): Promise<boolean> {
    return this.#update(_id, { nextTryAt }, ({ nextTryAt: stored }) => +stored === +before);
  }

  async wait(id: string, { code, reason }: Parameters<OccurrenceStore['wait']>[1]): Promise<void> {
    this.#update(id, { code, reason });
  }

  async decide(id: string, outcome: Parameters<OccurrenceStore['decide']>[1]): Promise<boolean> {
    return this.#update(id, outcome);
  }

  /** When one is to be attended to next; infinite if none is pending. */
  nextTry(): number {
    return this.#pending.next();
  }

  #update(id: string, fields: Partial<Occurrence>, may: (stored: Occurrence) => boolean = () => true): boolean {
    const stored = this.documents.get(id);
    if (stored?.state !== 'Pending' || !may(stored)) return false;
    const changed = { ...stored, ...fields };
    this.documents.set(id, changed);
    this.#pending.set(id, changed.state === 'Pending' ? changed.nextTryAt.getTime() : undefined);
    return true;
  }
}
