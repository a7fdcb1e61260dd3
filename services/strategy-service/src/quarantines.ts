import { createQuarantine } from '@tidemark/service-kit/quarantine';
import { log } from './logger.ts';

/**
 * The records that one copy of the service could not read or work on, each kind by its ids, rules by `<clusterId>:<rule>`.
 * What is done with a record has a quarantine of its own.
 */
export function createQuarantines() {
  const of = (kind: string) => createQuarantine({ kind, log });
  return {
    listedRules: of('rule'),
    fleetStrategies: of('strategy for labels'),
    derivedClusters: of('cluster'),
    foundRules: of('rule'),
    foundFleetStrategies: of('strategy for labels'),
  };
}

export type Quarantines = ReturnType<typeof createQuarantines>;
