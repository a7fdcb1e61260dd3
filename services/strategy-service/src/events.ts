import { counter } from '@tidemark/service-kit/metrics';
import type { FleetStrategyDocument } from './fleet-strategy.ts';
import { auditLog, log } from './logger.ts';
import type { StrategyDocument } from './strategy.ts';

const saves = counter('tidemark_strategies_saved_total', 'Strategies saved or deleted.', ['what']);
const advances = counter('tidemark_strategies_advanced_total', 'Strategies moved to their next window.');
const derived = counter('tidemark_strategies_derived_total', 'Rules of clusters that followed a strategy for labels.', [
  'why',
]);

export function strategySaved(strategy: StrategyDocument, caller: string, requestId: string): void {
  saves.inc({ what: 'saved' });
  const { clusterId, rule, days, period, timeZone, paused, nextWindow, revision } = strategy;
  const { retention, verify, windowEnd, storageId, fleetStrategy } = strategy;
  auditLog.info(
    {
      what: 'save strategy',
      clusterId,
      rule,
      days,
      period,
      timeZone,
      paused,
      retention,
      verify,
      windowEnd,
      storageId,
      fleetStrategy,
      nextWindow,
      revision,
      caller,
      requestId,
    },
    'audit',
  );
}

export function strategyDeleted(clusterId: string, rule: string, caller: string, requestId: string): void {
  saves.inc({ what: 'deleted' });
  auditLog.info({ what: 'delete strategy', clusterId, rule, caller, requestId }, 'audit');
}

export function strategyAdvanced({ clusterId, rule, nextWindow }: StrategyDocument): void {
  advances.inc();
  log.info({ clusterId, rule, nextWindow }, 'strategy moved to its next window');
}

export function fleetSaved(fleet: FleetStrategyDocument, caller: string, requestId: string): void {
  saves.inc({ what: 'saved for labels' });
  const {
    _id: fleetStrategy,
    selector,
    priority,
    rule,
    days,
    period,
    timeZone,
    paused,
    retention,
    verify,
    windowEnd,
    revision,
  } = fleet;
  auditLog.info(
    {
      what: 'save fleet strategy',
      fleetStrategy,
      selector,
      priority,
      rule,
      days,
      period,
      timeZone,
      paused,
      retention,
      verify,
      windowEnd,
      revision,
      caller,
      requestId,
    },
    'audit',
  );
}

export function fleetDeleted(fleetStrategy: string, caller: string, requestId: string): void {
  saves.inc({ what: 'deleted for labels' });
  auditLog.info({ what: 'delete fleet strategy', fleetStrategy, caller, requestId }, 'audit');
}

export function fleetApplied({ _id: fleetStrategy, revision }: FleetStrategyDocument): void {
  log.info({ fleetStrategy, revision }, 'every cluster has the strategy for labels as it stands');
}

export function fleetRemoved({ _id: fleetStrategy }: FleetStrategyDocument): void {
  log.info({ fleetStrategy }, 'the strategy for labels and its rules are gone');
}

/** @param why what was looked at: labels that changed, strategies that changed, or everything */
export function rulesDerived(count: number, why: 'labels' | 'fleet' | 'audit'): void {
  if (count === 0) return;
  derived.inc({ why }, count);
  log.info({ count, why }, 'rules of clusters follow strategies for labels');
}
