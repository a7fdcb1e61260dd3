import type { RetentionVerdict } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DEFAULT_RULE } from '../calls/find-rule.ts';
import { evaluateRetention } from '../calls/lists.ts';
import { type CallDependencies, extraCallOptions } from '../calls/scope.ts';
import { log } from '../logger.ts';
import { QUERY_STRATEGY_FAILED } from './failure-numbers.ts';
import { timeOf } from './legacy-states.ts';
import { simulateRetention, type VerdictView } from './operations/strategies.ts';
import { route } from './route.ts';
import { toRetention } from './strategy-body.ts';

/** What a retention keeps and what it removes. */
export function retentionRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'POST',
    path: '/clusters/:clusterId/retention/simulate',
    operation: simulateRetention,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest: ({ params: { clusterId }, body: { rule = DEFAULT_RULE, retention } }) => ({
      clusterId,
      rule,
      ...(retention && { proposal: toRetention(retention) }),
      ...(retention === null && { keepEverything: true }),
    }),
    toView({ verdicts, bytesToFree }, { body: { rule = DEFAULT_RULE } }) {
      const goes = verdicts.filter(({ keepReasons }) => keepReasons.length === 0);
      return {
        data: {
          rule,
          removed: goes.map(toVerdictView),
          kept: verdicts.filter((verdict) => !goes.includes(verdict)).map(toVerdictView),
          bytesToFree: Number(bytesToFree),
        },
      };
    },
  });
}

/** Why a good backup is kept, or when it goes; nothing where that cannot be found out right now. */
export async function keepingOf(
  request: FastifyRequest,
  dependencies: CallDependencies,
  { id, clusterId }: { readonly id: string; readonly clusterId: string },
): Promise<object> {
  try {
    const { verdicts } = await evaluateRetention({ clusterId }, dependencies, () =>
      extraCallOptions(request, dependencies),
    );
    const verdict = verdicts.find(({ backupId }) => backupId === id);
    return verdict ? toKeeping(verdict) : {};
  } catch (error) {
    log.warn({ error, backupId: id, requestId: request.id }, 'retention could not be asked about a backup');
    return {};
  }
}

function toVerdictView(verdict: RetentionVerdict): VerdictView {
  const { backupId, startTime, sizeBytes } = verdict;
  return { backupId, startTime: timeOf(startTime), sizeBytes: Number(sizeBytes), ...toKeeping(verdict) };
}

function toKeeping({ keepReasons, expiresAt }: RetentionVerdict): Pick<VerdictView, 'keepReasons' | 'expiresAt'> {
  return { keepReasons, ...(expiresAt && { expiresAt: timeOf(expiresAt) }) };
}
