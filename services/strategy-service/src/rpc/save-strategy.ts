import { invalidArgument } from '@tidemark/errors/app-error';
import { MAX_RULES } from '@tidemark/limits/limits';
import { requireRevision } from '@tidemark/mongo/expected-revision';
import type {
  SaveStrategyRequest,
  SaveStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { isTimeZone } from '@tidemark/schedule/time-zone';
import { raceAbort } from '@tidemark/service-kit/abort';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { shareReads } from '@tidemark/service-kit/shared-reads';
import { strategySaved } from '../events.ts';
import { type Change, createSavesTogether } from '../saves-together.ts';
import {
  DEFAULT_RULE,
  NO_SETTINGS,
  replan,
  resumedAt,
  type StrategyDocument,
  strategyId,
  toStrategyMessage,
} from '../strategy.ts';
import { type SettingsChange, toChange } from '../strategy-change.ts';
import { type Dependencies, unknownRule } from './context.ts';

/**
 * Saves a strategy, if wanted only at a certain revision. A window that is open now starts now; resuming a paused strategy never starts anything, so there
 * only later windows count. A window that was taken up already has its occurrence and starts no second backup, whatever
 * is edited that day (`plan`).
 *
 * A rule that comes from a strategy for labels becomes the cluster's own, with what it had, as soon as anything but
 * `paused` is saved. It then is still paused if the strategy for labels was, unless the request says otherwise.
 */
export function saveStrategy({ store, clusters, registry, quotas, now, timeZone, spreadMs }: Dependencies) {
  const shareRules = shareReads<StrategyDocument[]>();
  const saveTogether = createSavesTogether(store, clusters, async (clusterId, rule, signal) => {
    const stored = async () => (await store.ofClusters([clusterId], signal)).map((one) => one.rule);
    if (!(await quotas.reserve(clusterId, rule, MAX_RULES, stored, signal))) throw tooMany();
  });
  return async (
    request: SaveStrategyRequest,
    { caller, requestId, callId, signal }: CallContext,
  ): Promise<SaveStrategyResponse> => {
    const change = toChange(request);
    const rule = request.rule || DEFAULT_RULE;
    const { clusterId, defaultTimeZone, createOnly, validateOnly } = request;
    const asking = { signal, requestId, caller };
    let usable = '';
    const next: Change = (before, others, clusterZone) => {
      // Its answer was lost, and this is its repeat.
      if (before?.savedIn === callId) return undefined;
      // Before somebody makes one of its own, a rule from a strategy for labels may come and go.
      const isMade = before?.fleetStrategy === '' || request.revision !== 0n;
      requireRevision(`Rule ${rule} of cluster ${clusterId}`, request.revision, isMade ? before : undefined);
      if (createOnly || !before) requireRoomFor(rule, others);
      if (createOnly && before) {
        if (!isRepeat(before, change, requestId)) throw taken(before.rule);
        return undefined;
      }
      // Pausing what is not there is a mistake, and not a way to make it.
      if (!before && rule !== DEFAULT_RULE && !createOnly && onlyPauses(change)) throw unknownRule(clusterId, rule);
      const at = now();
      const own = !before || before.fleetStrategy === '' || !onlyPauses(change);
      const fresh: Omit<StrategyDocument, 'nextWindow'> = {
        ...NO_SETTINGS,
        _id: strategyId(clusterId, rule),
        clusterId,
        rule,
        timeZone: [defaultTimeZone, clusterZone].find(isTimeZone) ?? timeZone,
        lastTaken: null,
        createdIn: requestId,
        resumedAt: null,
        createTime: at,
        ...before,
        ...(own && before?.fleetPaused && { paused: true }),
        ...change,
        fleetStrategy: own ? '' : before.fleetStrategy,
        fleetPaused: own ? false : before.fleetPaused,
        revision: (before?.revision ?? 0) + 1,
        savedRevision: (before?.revision ?? 0) + 1,
        savedIn: callId,
        updateTime: at,
        updatedBy: caller,
      };
      // A pause and its end leave what the rule has.
      if (fresh.storageId !== usable && !onlyPauses(change)) throw new StorageNotLookedAt(fresh.storageId);
      return {
        ...fresh,
        resumedAt: resumedAt(before, fresh, at),
        nextWindow: replan(before, fresh, at, true, spreadMs),
      };
    };

    const validate = async () => {
      const standing = await clusters.require(clusterId, asking);
      const others = await shareRules(clusterId, signal, (limit) => store.ofClusters([clusterId], limit));
      const before = others.find((one) => one.rule === rule);
      const cluster = before ? undefined : (standing.cluster ?? (await clusters.ask(clusterId, asking)));
      return next(before, others, cluster?.timeZone ?? '') ?? before;
    };
    const save = async () => {
      const needsRead = createOnly || request.revision !== undefined;
      const wish = { clusterId, rule, change: next, needsRead, asking: { requestId, caller } };
      const saved = saveTogether(strategyId(clusterId, rule), wish).then(({ strategy, changed }) => {
        // Also where nobody waits for the answer any more.
        if (strategy && changed) strategySaved(strategy, caller, requestId);
        return strategy;
      });
      return raceAbort(saved, signal);
    };
    const requireUsable = async (id: string) => {
      await clusters.require(clusterId, asking);
      if (id !== '') await registry.getStorage({ id, clusterId }, asking);
      usable = id;
    };

    if (change.storageId) await requireUsable(change.storageId);
    for (;;)
      try {
        const strategy = await (validateOnly ? validate() : save());
        return { strategy: strategy && toStrategyMessage(strategy, spreadMs) };
      } catch (error) {
        if (!(error instanceof StorageNotLookedAt)) throw error;
        await requireUsable(error.storageId);
      }
  };
}

/** A rule keeps a storage of which it is not known yet whether its cluster may use it. */
class StorageNotLookedAt extends Error {
  readonly storageId: string;
  constructor(storageId: string) {
    super('a storage was not looked at');
    this.storageId = storageId;
  }
}

/** Whether a change says nothing, or only whether the rule is paused. */
function onlyPauses(change: SettingsChange): boolean {
  return Object.keys(change).every((field) => field === 'paused');
}

/** Whether a rule that is there already is what this very request made, whose first answer was lost. */
function isRepeat(before: StrategyDocument, change: SettingsChange, requestId: string): boolean {
  const says = (settings: object) =>
    JSON.stringify(Object.keys(change).map((field) => (settings as Record<string, unknown>)[field]));
  return before.revision === 1 && before.createdIn === requestId && says(before) === says(change);
}

/** @throws AppError `invalid_argument` when the cluster has a rule of nearly this name, or too many */
function requireRoomFor(rule: string, others: readonly StrategyDocument[]): void {
  const alike = others.find((one) => one.rule.toLowerCase() === rule.toLowerCase());
  if (alike && alike.rule !== rule) throw taken(alike.rule);
  if (others.length >= MAX_RULES && !alike) throw tooMany();
}

function tooMany() {
  return invalidArgument([
    {
      field: 'strategy.rule',
      description: `would be one more than the ${MAX_RULES} rules that a cluster may have; delete one first`,
    },
  ]);
}

function taken(rule: string) {
  const next = /^(.{1,60}?)-?(\d{1,2})$/.exec(rule);
  const free = next ? `${next[1]}-${Number(next[2]) + 1}` : `${rule.slice(0, 60)}-2`;
  return invalidArgument([
    {
      field: 'strategy.rule',
      description: `the cluster has a rule "${rule}" already, and names that differ only in case are the same; change that one with PUT …/strategies/${rule}, or take another name such as "${free}"`,
    },
  ]);
}
