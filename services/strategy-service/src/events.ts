import { counter } from '@tidemark/service-kit/metrics';
import { auditLog, log } from './logger.ts';
import type { StrategyDocument } from './strategy.ts';

const saves = counter('tidemark_strategies_saved_total', 'Strategies saved or deleted.', ['what']);
const advances = counter('tidemark_strategies_advanced_total', 'Strategies moved to their next window.');

export function strategySaved(strategy: StrategyDocument, caller: string, requestId: string): void {
  saves.inc({ what: 'saved' });
  const { clusterId, rule, days, period, timeZone, paused, nextWindow, revision } = strategy;
  auditLog.info(
    { what: 'save strategy', clusterId, rule, days, period, timeZone, paused, nextWindow, revision, caller, requestId },
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
