import { MAX_HITS_OF_A_KIND } from '@tidemark/limits/limits';
import { SearchHit, SearchKind } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type {
  SearchStrategiesRequest,
  SearchStrategiesResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readable } from '@tidemark/service-kit/quarantine';
import type { FleetStrategyDocument } from '../fleet-strategy.ts';
import type { Settings, StrategyDocument } from '../strategy.ts';
import type { Dependencies } from './context.ts';

/** Rules and strategies for labels whose name begins with a text, by name: the text itself leads. What cannot be read is left out. */
export function searchStrategies({ store, fleet, quarantines }: Dependencies) {
  return async (
    { text, clusterIds, withFleetStrategies }: SearchStrategiesRequest,
    { signal }: CallContext,
  ): Promise<SearchStrategiesResponse> => {
    const [rules, all] = await Promise.all([
      store.ownRulesNamed(text, clusterIds, MAX_HITS_OF_A_KIND + 1, signal),
      withFleetStrategies ? fleet.list(signal) : [],
    ]);
    const strategies = all.filter(({ _id, deleting }) => !deleting && _id.startsWith(text));
    const parts = [
      readable(quarantines.foundFleetStrategies, strategies, (one) => toFleetHit(one, text), SearchHit),
      readable(quarantines.foundRules, rules, (one) => toRuleHit(one, text), SearchHit),
    ];
    return {
      hits: parts.flatMap((part) => part.slice(0, MAX_HITS_OF_A_KIND).map(({ message }) => message)),
      more: parts.some((part) => part.length > MAX_HITS_OF_A_KIND),
    };
  };
}

function toRuleHit(strategy: StrategyDocument, text: string): SearchHit {
  const { clusterId, rule, updateTime } = strategy;
  return SearchHit.create({
    kind: SearchKind.SEARCH_KIND_RULE,
    id: rule,
    clusterId,
    title: windowsOf(strategy),
    time: updateTime,
    exact: rule === text,
  });
}

function toFleetHit(fleet: FleetStrategyDocument, text: string): SearchHit {
  const { _id, selector, updateTime } = fleet;
  return SearchHit.create({
    kind: SearchKind.SEARCH_KIND_STRATEGY,
    id: _id,
    title: `${windowsOf(fleet)}, for ${selector.map(({ name, value }) => `${name}=${value}`).join(', ')}`,
    time: updateTime,
    exact: _id === text,
  });
}

function windowsOf({ days, period, paused }: Settings): string {
  const windows = days.length === 0 ? 'starts nothing by itself' : `${days.join(', ')} ${period}`;
  return paused ? `${windows}, paused` : windows;
}
