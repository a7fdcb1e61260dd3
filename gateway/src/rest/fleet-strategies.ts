import { invalidArgument } from '@tidemark/errors/app-error';
import { type FleetStrategy, WindowEnd } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { accessWarnings } from '../calls/storage-access.ts';
import { DELETE_STRATEGY_FAILED, QUERY_STRATEGY_FAILED, SAVE_STRATEGY_FAILED } from './failure-numbers.ts';
import * as operations from './operations/fleet-strategies.ts';
import { route } from './route.ts';
import { saveOptions } from './save-query.ts';
import { toSettings } from './strategy-body.ts';
import { toFleetView } from './strategy-view.ts';

/** Strategies for all clusters with certain labels: for those who see all clusters. */
export function fleetStrategyRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'GET',
    path: '/strategies',
    operation: operations.listFleetStrategies,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest: () => ({}),
    toView: ({ fleetStrategies }) => ({ data: { strategies: fleetStrategies.map(toFleetView) } }),
  });

  route(app, dependencies, {
    method: 'GET',
    path: '/strategies/:name',
    operation: operations.getFleetStrategy,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest: ({ params }) => ({ name: params.name }),
    toView: ({ fleetStrategy }) => ({ data: { strategy: fleetStrategy && toFleetView(fleetStrategy) } }),
  });

  route(app, dependencies, {
    method: 'PUT',
    path: '/strategies/:name',
    operation: operations.saveFleetStrategy,
    failureNumber: SAVE_STRATEGY_FAILED,
    toRequest({ params: { name }, query, body: { strategy } }) {
      if (strategy.name && strategy.name !== name)
        throw invalidArgument([
          { field: 'strategy.name', description: `must be left out or be ${name}, the name of the path` },
        ]);
      const { timeZone, selector, priority, rule } = strategy;
      return {
        name,
        ...saveOptions(query),
        ...toSettings(strategy),
        // Here "" means something: the zone of each cluster.
        ...(timeZone !== undefined && { timeZone: timeZone ?? '' }),
        ...(selector && { selector }),
        ...(typeof priority === 'number' && { priority }),
        ...(rule && { rule }),
      };
    },
    async toView({ fleetStrategy }, { request }) {
      const warnings = fleetStrategy
        ? [...fleetWarnings(fleetStrategy), ...(await accessWarnings(fleetStrategy, request, dependencies))]
        : [];
      return {
        data: { strategy: fleetStrategy && toFleetView(fleetStrategy), ...(warnings.length > 0 && { warnings }) },
      };
    },
  });

  route(app, dependencies, {
    method: 'DELETE',
    path: '/strategies/:name',
    operation: operations.deleteFleetStrategy,
    failureNumber: DELETE_STRATEGY_FAILED,
    toRequest: ({ params }) => ({ name: params.name }),
    toView: () => ({ data: {} }),
  });
}

/** What people should know before they rely on it; how long backups take is shown by the preview of each cluster. */
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
