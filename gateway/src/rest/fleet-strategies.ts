import { invalidArgument } from '@tidemark/errors/app-error';
import { type FleetStrategy, WindowEnd } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { authorizeAll } from '../authorize.ts';
import { success } from './envelope.ts';
import { DELETE_FAILED, QUERY_FAILED, SAVE_FAILED } from './find-rule.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { RuleName, SETTINGS, toSettings } from './strategy-body.ts';
import { toFleetView } from './strategy-view.ts';
import { bodyObject, Id, leftOut, parse } from './validate.ts';

const EXAMPLE = '{"selector":{"env":"prod"},"backupDate":"Monday,Friday","period":"23:00-2:00"}';
const WRONG_SELECTOR = 'must be an object of labels and their values, such as {"env":"prod"}';
const HIGHEST_PRIORITY = 1_000_000;
const WRONG_PRIORITY = `must be a whole number from -${HIGHEST_PRIORITY} to ${HIGHEST_PRIORITY}, such as 10; the highest wins`;

const Name = z.object({ name: Id });
const Body = z.object({
  strategy: z.object(
    {
      ...SETTINGS,
      name: z.string('must be a text').nullish(),
      selector: z.record(z.string(), z.string('must be a text, such as "prod"'), WRONG_SELECTOR).nullish(),
      priority: z
        .int(WRONG_PRIORITY)
        .min(-HIGHEST_PRIORITY, WRONG_PRIORITY)
        .max(HIGHEST_PRIORITY, WRONG_PRIORITY)
        .nullish(),
      rule: leftOut(RuleName),
    },
    `must be an object such as ${EXAMPLE}`,
  ),
});

type WithName = { Params: { name: string } };

/** Strategies for all clusters with certain labels: for those who see all clusters. */
export function fleetStrategyRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { strategies, registry } = dependencies.backends;

  app.get('/strategies', { config: { failureNumber: QUERY_FAILED } }, async (request) => {
    authorizeAll(request.caller, 'listFleetStrategies');
    const { fleetStrategies } = await strategies.listFleetStrategies({}, callOptions(request, dependencies));
    return success({ strategies: fleetStrategies.map(toFleetView) });
  });

  app.get<WithName>('/strategies/:name', { config: { failureNumber: QUERY_FAILED } }, async (request) => {
    authorizeAll(request.caller, 'getFleetStrategy');
    const { name } = parse(Name, request.params);
    const { fleetStrategy } = await strategies.getFleetStrategy({ name }, callOptions(request, dependencies));
    return success({ strategy: fleetStrategy && toFleetView(fleetStrategy) });
  });

  app.put<WithName>(
    '/strategies/:name',
    { config: { failureNumber: SAVE_FAILED, audit: 'save fleet strategy' } },
    async (request) => {
      const { name } = parse(Name, request.params);
      request.audited = { fleetStrategy: name };
      authorizeAll(request.caller, 'saveFleetStrategy');
      const { strategy } = parse(Body, bodyObject(request.body));
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
    { config: { failureNumber: DELETE_FAILED, audit: 'delete fleet strategy' } },
    async (request) => {
      const { name } = parse(Name, request.params);
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
