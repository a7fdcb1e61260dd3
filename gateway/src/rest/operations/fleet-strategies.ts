import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { SaveQuery } from '../save-query.ts';
import { FleetBody } from '../strategy-body.ts';
import { Id } from '../validate.ts';
import { counted, NoData, time } from './common.ts';
import { LENIENT, Settings } from './strategies.ts';

/** A strategy for labels. */
export const FleetStrategy = z
  .object({
    name: z.string(),
    selector: z.record(z.string(), z.string()).describe('Labels that a cluster must all have.'),
    priority: z.int().describe('The highest wins.'),
    rule: z.string().describe('The rule that its clusters get.'),
    backupDate: z.string(),
    period: z.string(),
    timeZone: z.string().describe('Empty: that of each cluster.'),
    paused: z.boolean(),
    ...Settings,
    applied: z.boolean().describe('Whether all clusters that were registered when it was saved have it as it stands.'),
    clusters: counted('Clusters that have a rule from it.'),
    revision: counted('Grows with every save.'),
    updateTime: time('When it was last saved.'),
    updatedBy: z.string(),
  })
  .meta({ id: 'FleetStrategy', description: 'A strategy for all clusters with certain labels.' });
export type FleetStrategyView = z.infer<typeof FleetStrategy>;

const FLEET: FleetStrategyView = {
  name: 'prod-nightly',
  selector: { env: 'prod' },
  priority: 10,
  rule: 'default',
  backupDate: 'Monday,Friday',
  period: '23:00-2:00',
  timeZone: '',
  paused: false,
  retention: { keepLast: 7 },
  windowEnd: 'stop',
  storageId: 'local',
  applied: true,
  clusters: 3,
  revision: 2,
  updateTime: '2026-01-02T10:00:00.000Z',
  updatedBy: 'console',
};
const OfFleet = z.object({
  name: Id.meta({ description: 'The strategy for labels.', examples: ['prod-nightly'] }),
});
const OneFleet = z.object({ strategy: FleetStrategy }).meta({ id: 'OneFleetStrategy' });
const SavedFleet = OneFleet.extend({
  warnings: z.array(z.string()).optional().describe('What may surprise of what was saved, in sentences.'),
}).meta({ id: 'SavedFleetStrategy' });

export const listFleetStrategies = {
  id: 'listFleetStrategies',
  tag: 'Fleet strategies',
  call: 'listFleetStrategies',
  summary: 'All strategies for labels',
  answer: { data: z.object({ strategies: z.array(FleetStrategy) }), example: { strategies: [FLEET] } },
} as const satisfies Operation;

export const getFleetStrategy = {
  id: 'getFleetStrategy',
  tag: 'Fleet strategies',
  call: 'getFleetStrategy',
  summary: 'One strategy for labels',
  params: OfFleet,
  answer: { data: OneFleet, example: { strategy: FLEET } },
  errors: ['strategy_not_found'],
} as const satisfies Operation;

export const deleteFleetStrategy = {
  id: 'deleteFleetStrategy',
  tag: 'Fleet strategies',
  call: 'deleteFleetStrategy',
  summary: 'Deletes a strategy for labels',
  description: 'Its clusters lose the rule that came from it.',
  params: OfFleet,
  answer: { data: NoData, example: {} },
  errors: ['strategy_not_found', 'conflict'],
} as const satisfies Operation;

export const saveFleetStrategy = {
  id: 'saveFleetStrategy',
  tag: 'Fleet strategies',
  call: 'saveFleetStrategy',
  summary: 'Saves a strategy for labels',
  description: `Every cluster with these labels gets it as a rule. ${LENIENT}`,
  params: OfFleet,
  query: SaveQuery,
  body: FleetBody,
  bodyExamples: {
    'all of production': {
      strategy: { selector: { env: 'prod' }, backupDate: 'Monday,Friday', period: '23:00-2:00' },
    },
  },
  answer: { data: SavedFleet, example: { strategy: FLEET } },
  errors: ['storage_not_found', 'revision_changed', 'conflict'],
} as const satisfies Operation;
