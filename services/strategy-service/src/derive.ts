/**
 * Which rules a cluster has from strategies for labels. Pure.
 *
 * D1. A cluster's own rule wins over any strategy for labels that gives a rule of this name; case does not matter.
 * D2. Of several strategies for labels that give a cluster the same rule, the one of the highest priority does, then the
 *     first by name. One that is being deleted gives none.
 * D3. A rule from a strategy for labels that no longer reaches its cluster goes.
 * D4. What would be written as it is already is not written: deriving twice is deriving once.
 * D5. Deriving starts nothing: only windows that open later count, and a planned one stays while days, hours and zone do.
 * D6. `paused` and the last window that was taken up are the cluster's, and stay.
 */
import type { ClusterLabelsDocument, FleetStrategyDocument } from './fleet-strategy.ts';
import { replan, resumedAt, type Settings, type StrategyDocument, strategyId } from './strategy.ts';

/** One change: without `before` a new rule, without `after` one that goes. */
export interface DerivedWrite {
  readonly before?: StrategyDocument;
  readonly after?: StrategyDocument;
}

export interface DeriveInput {
  /** Undefined for one that is not registered any more: it keeps what is its own. */
  readonly cluster: ClusterLabelsDocument | undefined;
  /** Every rule that the cluster has. */
  readonly rules: readonly StrategyDocument[];
  readonly fleet: readonly FleetStrategyDocument[];
  /** Strategies for labels whose records are damaged; what comes from them stays as it is. */
  readonly unreadable?: ReadonlySet<string>;
  /** An own rule that is to be forgotten. */
  readonly drop?: string | undefined;
  readonly at: Date;
  /** For a cluster and a strategy that name none. */
  readonly timeZone: string;
  readonly spreadMs: number;
}

export function derive(input: DeriveInput): DerivedWrite[] {
  const { cluster, rules, drop, unreadable } = input;
  const stays = (fleetStrategy: string) => fleetStrategy === '' || unreadable?.has(fleetStrategy);
  const isOwn = ({ fleetStrategy, rule }: StrategyDocument) => stays(fleetStrategy) && rule !== drop;
  const given = cluster
    ? winners(cluster, input.fleet, new Set(rules.filter(isOwn).map(keyOf)))
    : new Map<string, FleetStrategyDocument>();
  const open = rules.filter((rule) => !isOwn(rule));
  const gone = open.filter((rule) => given.get(keyOf(rule))?.rule !== rule.rule).map((before) => ({ before }));
  const written = [...given.values()].flatMap((fleet) => {
    const before = open.find(({ rule }) => rule === fleet.rule);
    const write = cluster && toRule(cluster, fleet, before, input);
    return write ? [write] : [];
  });
  return [...gone, ...written];
}

const keyOf = ({ rule }: { readonly rule: string }) => rule.toLowerCase();

function winners(
  cluster: ClusterLabelsDocument,
  fleet: readonly FleetStrategyDocument[],
  own: ReadonlySet<string>,
): Map<string, FleetStrategyDocument> {
  const given = new Map<string, FleetStrategyDocument>();
  const byRank = fleet.toSorted((one, other) => other.priority - one.priority || (one._id < other._id ? -1 : 1));
  for (const one of byRank)
    if (!one.deleting && !own.has(keyOf(one)) && !given.has(keyOf(one)) && reaches(one, cluster))
      given.set(keyOf(one), one);
  return given;
}

function reaches({ selector }: FleetStrategyDocument, { labels }: ClusterLabelsDocument): boolean {
  return selector.every(({ name, value }) => labels.some((label) => label.name === name && label.value === value));
}

function toRule(
  cluster: ClusterLabelsDocument,
  fleet: FleetStrategyDocument,
  before: StrategyDocument | undefined,
  { at, timeZone, spreadMs }: DeriveInput,
): DerivedWrite | undefined {
  const { days, period, retention, verify, windowEnd, storageId, brOptions, rule } = fleet;
  // An own rule that is dropped leaves its pause behind.
  const paused = before !== undefined && before.fleetStrategy !== '' && before.paused;
  const fresh: Omit<StrategyDocument, 'nextWindow'> = {
    _id: strategyId(cluster._id, rule),
    clusterId: cluster._id,
    rule,
    days,
    period,
    timeZone: fleet.timeZone || cluster.timeZone || timeZone,
    paused,
    retention,
    verify: verify ?? null, // none in records of earlier versions
    windowEnd,
    storageId,
    brOptions,
    lastTaken: before?.lastTaken ?? null,
    fleetStrategy: fleet._id,
    fleetPaused: fleet.paused,
    createdIn: '',
    resumedAt: before?.resumedAt ?? null,
    createTime: before?.createTime ?? at,
    revision: (before?.revision ?? 0) + 1,
    savedRevision: (before?.revision ?? 0) + 1,
    savedIn: '',
    updateTime: at,
    updatedBy: fleet.updatedBy,
  };
  if (before && contentOf(before) === contentOf(fresh)) return undefined;
  const after = {
    ...fresh,
    resumedAt: resumedAt(before, fresh, at),
    nextWindow: replan(before, fresh, at, false, spreadMs),
  };
  return { ...(before && { before }), after };
}

type Content = Settings & Pick<StrategyDocument, 'fleetStrategy' | 'fleetPaused'>;

function contentOf(rule: Content): string {
  const { days, period, timeZone, paused, retention, verify, windowEnd, storageId, brOptions } = rule;
  const { fleetStrategy, fleetPaused } = rule;
  const content = [days, period, timeZone, paused, retention, windowEnd, storageId, brOptions];
  return canonical([...content, verify, fleetStrategy, fleetPaused]);
}

/** As JSON in which the order of fields does not matter. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}
