import { invalidArgument } from '@tidemark/errors/app-error';
import type {
  AdvanceStrategyRequest,
  AdvanceStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { strategyAdvanced } from '../events.ts';
import { plan, takenWindow, toStrategyMessage } from '../strategy.ts';
import type { Dependencies } from './context.ts';

/**
 * Moves a strategy past the window that was taken up; another copy may have done so, which is fine. The window is
 * remembered, so that no later edit starts a second backup for its day.
 */
export function advanceStrategy({ store, now, spreadMs }: Dependencies) {
  return async (
    { clusterId, rule, opensAt, revision }: AdvanceStrategyRequest,
    { signal }: CallContext,
  ): Promise<AdvanceStrategyResponse> => {
    if (!opensAt) throw invalidArgument([{ field: 'opensAt', description: 'must be set' }]);
    const { strategy, changed } = await store.change(
      clusterId,
      rule,
      (before) => {
        const taken = before?.nextWindow;
        if (!before || taken?.opensAt.getTime() !== opensAt.getTime() || BigInt(before.revision) !== revision)
          return undefined;
        const lastTaken = takenWindow(taken, before);
        const { revision: standing, savedRevision = standing } = before;
        const next = { ...before, lastTaken, revision: standing + 1, savedRevision, updateTime: now() };
        return { ...next, nextWindow: plan(next, opensAt, false, spreadMs) };
      },
      signal,
    );
    if (changed && strategy) strategyAdvanced(strategy);
    return { advanced: changed, strategy: strategy && toStrategyMessage(strategy, spreadMs) };
  };
}
