import { createQuarantine } from '@tidemark/service-kit/quarantine';
import { log } from './logger.ts';

/**
 * The records that one copy of the scheduler could not read or work on, each kind by its ids, rules by `<clusterId>:<rule>`.
 * What is done with a record has a quarantine of its own.
 */
export function createQuarantines() {
  const of = (kind: string) => createQuarantine({ kind, log });
  return {
    dueRules: of('rule'),
    retentionOfRules: of('rule'),
    windows: of('window'),
    closedWindows: of('window'),
    listedWindows: of('window'),
    clusterLabels: of('cluster'),
    retentionOfClusters: of('cluster'),
    verifiedClusters: of('cluster'),
    receivers: of('receiver'),
    deliveries: of('delivery'),
    conditions: of('condition'),
    drills: of('drill'),
    drillRuns: of('drill run'),
    countedDrills: of('drill'),
    listedDrillRuns: of('drill run'),
  };
}

export type Quarantines = ReturnType<typeof createQuarantines>;
