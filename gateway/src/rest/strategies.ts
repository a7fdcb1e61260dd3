import { invalidArgument } from '@tidemark/errors/app-error';
import type { Strategy } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { authorizeCluster } from '../authorize.ts';
import { success } from './envelope.ts';
import { timeOf } from './legacy-record.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { bodyObject, Id, parse } from './validate.ts';

const SAVE_FAILED = 20605;
const QUERY_FAILED = 20606;
const DELETE_FAILED = 20607;

const text = z.string('must be a text').max(256, 'must be at most 256 characters').nullish();
const Body = z.object({
  strategy: z.object(
    {
      clusterId: z.string('must be a text').nullish(),
      backupDate: text,
      period: text,
      timeZone: text,
      paused: z.boolean('must be true or false').nullish(),
    },
    'must be an object such as {"backupDate":"Monday","period":"0:00-1:00"}',
  ),
});

type WithCluster = { Params: { clusterId: string } };

/** The strategy of a cluster: the documented calls, and deletion. */
export function strategyRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { strategies, registry } = dependencies.backends;

  app.get<WithCluster>(
    '/clusters/:clusterId/strategy',
    { config: { failureNumber: QUERY_FAILED } },
    async (request) => {
      const { clusterId } = parse(z.object({ clusterId: Id }), request.params);
      authorizeCluster(request.caller, 'getStrategy', clusterId);
      const options = () => callOptions(request, dependencies);
      const { cluster } = await registry.getCluster({ id: clusterId }, options());
      const { strategy } = await strategies.getStrategy({ clusterId }, options());
      // One that was never saved has no zone of its own yet: a first save would take the cluster's.
      if (strategy && strategy.revision === 0n && cluster?.timeZone) strategy.timeZone = cluster.timeZone;
      return success({ strategy: toLegacyStrategy(strategy, clusterId) });
    },
  );

  const save = async (request: FastifyRequest<WithCluster>) => {
    const { clusterId } = parse(z.object({ clusterId: Id }), request.params);
    request.audited = { clusterId };
    authorizeCluster(request.caller, 'saveStrategy', clusterId);
    const { strategy: wanted } = parse(Body, bodyObject(request.body));
    if (wanted.clusterId && wanted.clusterId !== clusterId)
      throw invalidArgument([
        { field: 'strategy.clusterId', description: `must be left out or be ${clusterId}, the cluster of the path` },
      ]);
    const options = () => callOptions(request, dependencies);
    const { cluster } = await registry.getCluster({ id: clusterId }, options());
    const { strategy } = await strategies.saveStrategy(
      {
        clusterId,
        defaultTimeZone: cluster?.timeZone ?? '',
        ...(typeof wanted.backupDate === 'string' && { days: wanted.backupDate }),
        ...(wanted.period && { period: wanted.period }),
        ...(wanted.timeZone && { timeZone: wanted.timeZone }),
        ...(typeof wanted.paused === 'boolean' && { paused: wanted.paused }),
      },
      options(),
    );
    return success({ strategy: toLegacyStrategy(strategy, clusterId) });
  };
  const saveOptions = { config: { failureNumber: SAVE_FAILED, audit: 'save strategy' } };
  app.put<WithCluster>('/clusters/:clusterId/strategy', saveOptions, save);
  app.post<WithCluster>('/clusters/:clusterId/strategy', saveOptions, save);

  app.delete<WithCluster>(
    '/clusters/:clusterId/strategy',
    { config: { failureNumber: DELETE_FAILED, audit: 'delete strategy' } },
    async (request) => {
      const { clusterId } = parse(z.object({ clusterId: Id }), request.params);
      request.audited = { clusterId };
      authorizeCluster(request.caller, 'deleteStrategy', clusterId);
      const options = () => callOptions(request, dependencies);
      await registry.getCluster({ id: clusterId }, options());
      await strategies.deleteStrategy({ clusterId, rule: 'default' }, options());
      return success({});
    },
  );
}

/** A strategy as the documented API shows it. */
export function toLegacyStrategy(strategy: Strategy | undefined, clusterId: string): object {
  const { nextWindow } = strategy ?? {};
  return {
    clusterId,
    backupDate: (strategy?.days ?? []).join(','),
    period: strategy?.period ?? '',
    timeZone: strategy?.timeZone ?? '',
    paused: strategy?.paused ?? false,
    ...(nextWindow && {
      nextWindow: {
        opensAt: timeOf(nextWindow.opensAt),
        closesAt: timeOf(nextWindow.closesAt),
        startAt: timeOf(nextWindow.startAt),
      },
    }),
    revision: Number(strategy?.revision ?? 0n),
  };
}
