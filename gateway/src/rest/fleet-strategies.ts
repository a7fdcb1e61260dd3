import { invalidArgument } from '@tidemark/errors/app-error';
import { type FleetStrategy, WindowEnd } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { FastifyInstance } from 'fastify';
import { authorizeAll } from '../authorize.ts';
import { success } from './envelope.ts';
import { DELETE_FAILED, QUERY_FAILED, SAVE_FAILED } from './find-rule.ts';
import * as operations from './operations/fleet-strategies.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { toSettings } from './strategy-body.ts';
import { toFleetView } from './strategy-view.ts';
import { bodyObject, parse } from './validate.ts';

type WithName = { Params: { name: string } };

/** Strategies for all clusters with certain labels: for those who see all clusters. */
export function fleetStrategyRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { strategies, registry } = dependencies.backends;

  app.get(
    '/strategies',
    { config: { failureNumber: QUERY_FAILED, operation: operations.listFleetStrategies } },
    async (request) => {
      authorizeAll(request.caller, 'listFleetStrategies');
      const { fleetStrategies } = await strategies.listFleetStrategies({}, callOptions(request, dependencies));
      return success({ strategies: fleetStrategies.map(toFleetView) });
    },
  );

  app.get<WithName>(
    '/strategies/:name',
    { config: { failureNumber: QUERY_FAILED, operation: operations.getFleetStrategy } },
    async (request) => {
      authorizeAll(request.caller, 'getFleetStrategy');
      const { name } = parse(operations.getFleetStrategy.params, request.params);
      const { fleetStrategy } = await strategies.getFleetStrategy({ name }, callOptions(request, dependencies));
      return success({ strategy: fleetStrategy && toFleetView(fleetStrategy) });
    },
  );

  app.put<WithName>(
    '/strategies/:name',
    { config: { failureNumber: SAVE_FAILED, audit: 'save fleet strategy', operation: operations.saveFleetStrategy } },
    async (request) => {
      const { name } = parse(operations.getFleetStrategy.params, request.params);
      request.audited = { fleetStrategy: name };
      authorizeAll(request.caller, 'saveFleetStrategy');
      const { strategy } = parse(operations.saveFleetStrategy.body, bodyObject(request.body));
      if (strategy.name && strategy.name !== name)
        throw invalidArgument([
          { field: 'strategy.name', description: `must be left out or be ${name}, the name of the path` },
        ]);
      const { storageId, timeZone, selector, priority, rule } = strategy;
      const options = () => callOptions(request, dependencies);
      if (storageId) await registry.getStorage({ id: storageId }, options());
      const { fleetStrategy } = await strategies.saveFleetStrategy(
        {
          name,
          ...toSettings(strategy),
          // Here "" means something: the zone of each cluster.
          ...(timeZone !== undefined && { timeZone: timeZone ?? '' }),
          ...(selector && { selector }),
          ...(typeof priority === 'number' && { priority }),
          ...(rule && { rule }),
        },
        options(),
      );
      const warnings = fleetStrategy ? fleetWarnings(fleetStrategy) : [];
      return success({
        strategy: fleetStrategy && toFleetView(fleetStrategy),
        ...(warnings.length > 0 && { warnings }),
      });
    },
  );

  app.delete<WithName>(
    '/strategies/:name',
    {
      config: {
        failureNumber: DELETE_FAILED,
        audit: 'delete fleet strategy',
        operation: operations.deleteFleetStrategy,
      },
    },
    async (request) => {
      const { name } = parse(operations.getFleetStrategy.params, request.params);
      request.audited = { fleetStrategy: name };
      authorizeAll(request.caller, 'deleteFleetStrategy');
      await strategies.deleteFleetStrategy({ name }, callOptions(request, dependencies));
      return success({});
    },
  );
}

/** What people should know before they rely on it; how long backups take is for the preview of each cluster to tell. */
function fleetWarnings({ days, paused, retention, windowEnd }: FleetStrategy): string[] {
  return [
    ...(days.length === 0 ? ['No weekday is chosen, so nothing is backed up by this rule.'] : []),
    ...(paused ? ['The strategy is paused, so nothing is started until it is resumed with "paused":false.'] : []),
    ...(retention ? [] : ['No retention is set: every backup of this rule is kept until somebody deletes it.']),
    ...(windowEnd === WindowEnd.STOP
      ? [
          'A backup that has not ended when its window closes is stopped and its files are removed. The preview of a cluster’s rule tells how often past ones would have been.',
        ]
      : []),
  ];
}
