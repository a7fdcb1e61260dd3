import type { RetentionVerdict } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { authorizeCluster } from '../authorize.ts';
import { log } from '../logger.ts';
import { success } from './envelope.ts';
import { DEFAULT_RULE, findRule, QUERY_FAILED } from './find-rule.ts';
import { timeOf } from './legacy-record.ts';
import { simulateRetention, type VerdictView } from './operations/strategies.ts';
import { callOptions, extraCallOptions, type RouteDependencies } from './route.ts';
import { toRetention } from './strategy-body.ts';
import { bodyObject, parse } from './validate.ts';

/** What a retention keeps and what it removes. */
export function retentionRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { registry, retention } = dependencies.backends;
  app.post<{ Params: { clusterId: string } }>(
    '/clusters/:clusterId/retention/simulate',
    { config: { failureNumber: QUERY_FAILED, operation: simulateRetention } },
    async (request) => {
      const { clusterId } = parse(simulateRetention.params, request.params);
      authorizeCluster(request.caller, 'evaluateRetention', clusterId);
      const { rule = DEFAULT_RULE, retention: wanted } = parse(simulateRetention.body, bodyObject(request.body));
      if (rule === DEFAULT_RULE) await registry.getCluster({ id: clusterId }, callOptions(request, dependencies));
      else await findRule(request, dependencies, clusterId, rule);
      const { verdicts, bytesToFree } = await retention.evaluateRetention(
        {
          clusterId,
          rule,
          ...(wanted && { proposal: toRetention(wanted) }),
          ...(wanted === null && { keepEverything: true }),
        },
        callOptions(request, dependencies),
      );
      const goes = verdicts.filter(({ keepReasons }) => keepReasons.length === 0);
      return success({
        rule,
        removed: goes.map(toVerdictView),
        kept: verdicts.filter((verdict) => !goes.includes(verdict)).map(toVerdictView),
        bytesToFree: Number(bytesToFree),
      });
    },
  );
}

/** Why a good backup is kept, or when it goes; nothing where that cannot be found out right now. */
export async function keepingOf(
  request: FastifyRequest,
  dependencies: RouteDependencies,
  { id, clusterId }: { readonly id: string; readonly clusterId: string },
): Promise<object> {
  try {
    const { verdicts } = await dependencies.backends.retention.evaluateRetention(
      { clusterId },
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
