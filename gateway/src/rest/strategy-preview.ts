import type {
  PlannedStart,
  PreviewStrategyResponse,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { authorizeCluster } from '../authorize.ts';
import { log } from '../logger.ts';
import { success } from './envelope.ts';
import { DEFAULT_RULE, findRule, QUERY_FAILED } from './find-rule.ts';
import { timeOf } from './legacy-record.ts';
import type { Operation } from './operation.ts';
import * as operations from './operations/strategies.ts';
import { callOptions, extraCallOptions, type RouteDependencies } from './route.ts';
import { parseRule, RuleName } from './strategy-body.ts';
import { toLegacyStrategy } from './strategy-view.ts';
import { bodyObject, parse } from './validate.ts';

const Params = z.object({ ...operations.previewStrategy.params.shape, rule: RuleName.optional() });

type WithRule = { Params: { clusterId: string; rule?: string } };

/** What a saved or a proposed strategy will do. */
export function strategyPreviewRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { registry, occurrences } = dependencies.backends;

  const preview = async (request: FastifyRequest<WithRule>) => {
    const { clusterId, rule = DEFAULT_RULE } = parse(Params, request.params);
    authorizeCluster(request.caller, 'previewStrategy', clusterId);
    const body = bodyObject(request.body);
    const asked = parse(operations.PreviewCount, request.query);
    const { count = asked.count ?? operations.DEFAULT_STARTS } = parse(operations.PreviewCount, body);
    const options = () => callOptions(request, dependencies);
    const wanted = body.strategy === undefined ? undefined : parseRule(body, clusterId, rule);
    const { cluster } = await registry.getCluster({ id: clusterId }, options());
    if (wanted?.storageId) await registry.getStorage({ id: wanted.storageId }, options());
    if (!wanted && rule !== DEFAULT_RULE) await findRule(request, dependencies, clusterId, rule);
    const found = await occurrences.previewStrategy(
      {
        clusterId,
        rule,
        count,
        ...(wanted && {
          proposal: { clusterId, rule, defaultTimeZone: cluster?.timeZone ?? '', ...wanted.settings },
        }),
      },
      options(),
    );
    return success(toPreviewView(found, clusterId));
  };
  const asking = (operation: Operation) => ({ config: { failureNumber: QUERY_FAILED, operation } });
  app.post<WithRule>('/clusters/:clusterId/strategy/preview', asking(operations.previewStrategy), preview);
  app.post<WithRule>('/clusters/:clusterId/strategies/:rule/preview', asking(operations.previewRule), preview);
}

/** What people should know about a rule that was just saved; nothing where it cannot be found out right now. */
export async function warningsOf(
  request: FastifyRequest,
  dependencies: RouteDependencies,
  clusterId: string,
  rule: string,
): Promise<string[]> {
  try {
    const { warnings } = await dependencies.backends.occurrences.previewStrategy(
      { clusterId, rule, count: 1 },
      extraCallOptions(request, dependencies),
    );
    return warnings;
  } catch (error) {
    log.warn({ error, clusterId, rule, requestId: request.id }, 'a saved strategy could not be previewed');
    return [];
  }
}

function toPreviewView(found: PreviewStrategyResponse, clusterId: string): operations.PreviewView {
  return {
    strategy: toLegacyStrategy(found.strategy, clusterId),
    starts: found.starts.map(toStartView),
    warnings: found.warnings,
    past: { backups: found.pastBackups, tooLong: found.pastTooLong, longestSeconds: found.longestSeconds },
  };
}

function toStartView(start: PlannedStart): operations.PreviewView['starts'][number] {
  return {
    opensAt: timeOf(start.opensAt),
    closesAt: timeOf(start.closesAt),
    startAt: timeOf(start.startAt),
    localOpensAt: start.localOpensAt,
    localClosesAt: start.localClosesAt,
    localStartAt: start.localStartAt,
    ...(start.notes.length > 0 && { notes: start.notes }),
  };
}
