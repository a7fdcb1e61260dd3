import { timestampDate } from '@bufbuild/protobuf/wkt';
import {
  type FleetStrategy,
  type Retention,
  type Strategy,
  type VerificationRule,
  WindowEnd,
} from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { toBrOptionsView } from './br-options.ts';
import { timeOf } from './legacy-states.ts';
import type { FleetStrategyView } from './operations/fleet-strategies.ts';
import type { StrategyView } from './operations/strategies.ts';
import { levelOf } from './verification-level.ts';

/** The answer to a save: the strategy as it is stored now, and what people should know about it. */
export function savedStrategy(
  strategy: Strategy | undefined,
  clusterId: string,
  warnings: readonly string[] = [],
): object {
  return { strategy: toLegacyStrategy(strategy, clusterId), ...(warnings.length > 0 && { warnings }) };
}

/** A strategy as the documented API shows it, and what goes beyond. */
export function toLegacyStrategy(strategy: Strategy | undefined, clusterId: string): StrategyView {
  const { nextWindow, fleetStrategy = '', fleetPaused = false, updateTime } = strategy ?? {};
  const paused = (strategy?.paused ?? false) || fleetPaused;
  return {
    clusterId,
    backupDate: (strategy?.days ?? []).join(','),
    period: strategy?.period ?? '',
    rule: strategy?.rule || 'default',
    timeZone: strategy?.timeZone ?? '',
    paused,
    // Where both say so, resuming the cluster alone would not help.
    ...(paused && { pausedBy: fleetPaused ? 'fleet' : 'cluster' }),
    ...toSettingsView(strategy),
    source: fleetStrategy === '' ? { kind: 'cluster' } : { kind: 'fleet', name: fleetStrategy },
    ...(nextWindow && {
      nextWindow: {
        opensAt: timeOf(nextWindow.opensAt),
        closesAt: timeOf(nextWindow.closesAt),
        startAt: timeOf(nextWindow.startAt),
      },
    }),
    revision: Number(strategy?.revision ?? 0n),
    ...(updateTime && { updateTime: timestampDate(updateTime).toISOString(), updatedBy: strategy?.updatedBy }),
  };
}

/** A strategy for labels as people see it. */
export function toFleetView(fleet: FleetStrategy): FleetStrategyView {
  const { name, selector, priority, rule, days, period, timeZone, paused, revision, applied, clusters } = fleet;
  return {
    name,
    selector,
    priority,
    rule,
    backupDate: days.join(','),
    period,
    timeZone,
    paused,
    ...toSettingsView(fleet),
    applied,
    clusters,
    revision: Number(revision),
    updateTime: timeOf(fleet.updateTime),
    updatedBy: fleet.updatedBy,
  };
}

type Shown = Partial<Pick<Strategy, 'retention' | 'verify' | 'windowEnd' | 'storageId' | 'brOptions'>>;

function toSettingsView({
  retention,
  verify,
  windowEnd,
  storageId = '',
  brOptions,
}: Shown = {}): Pick<StrategyView, 'retention' | 'verify' | 'windowEnd' | 'storageId' | 'brOptions'> {
  return {
    retention: retention ? toRetentionView(retention) : null,
    ...(verify && { verify: toVerificationRuleView(verify) }),
    windowEnd: windowEnd === WindowEnd.STOP ? 'stop' : 'letRun',
    storageId,
    ...(brOptions && { brOptions: toBrOptionsView(brOptions) }),
  };
}

function toVerificationRuleView({ level, everyDays, sample = 1, rateLimit }: VerificationRule) {
  return { every: `P${everyDays}D`, level: levelOf(level), sample, rateLimit };
}

/** What is set of a retention. */
export function toRetentionView({ $typeName: _, ...counts }: Retention): NonNullable<StrategyView['retention']> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}
