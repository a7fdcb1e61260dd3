import { create } from '@bufbuild/protobuf';
import { ListFleetStrategiesResponseSchema } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { listFleetStrategies as listAll } from './lists.ts';
import type { Steps } from './steps.ts';

export const listFleetStrategies: Steps<'listFleetStrategies'> = {
  act: async (_, { scope, dependencies }) =>
    create(ListFleetStrategiesResponseSchema, { fleetStrategies: await listAll(scope, dependencies) }),
};
