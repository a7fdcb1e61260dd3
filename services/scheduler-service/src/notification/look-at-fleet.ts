/** What the picture of the fleet says: promises that are broken, and alarms of log backups. What was told already is compared here, so that a fleet costs few writes. */
import { plus } from '@tidemark/task/time';
import { expectedIntervalMs, type Fleet } from '../fleet.ts';
import { verdictOf } from '../fleet-verdict.ts';
import type { Quarantines } from '../quarantines.ts';
import type { ConditionStore } from './condition-store.ts';
import { type ConditionState, conditionId, type Fact } from './decide/condition.ts';
import { factOfPromise, factsOfLog } from './decide/facts.ts';
import type { Outbox } from './outbox.ts';
import { toToldCluster } from './seen.ts';

export interface FleetLookDependencies {
  readonly outbox: Outbox;
  readonly conditions: ConditionStore;
  readonly fleet: Pick<Fleet, 'clusters' | 'asOf' | 'logsAsOf'>;
  readonly quarantines: Pick<Quarantines, 'conditions'>;
  /** Database time. */
  readonly now: () => Date;
}

/** With a picture of the fleet that is older nobody is called late. */
const OLD_FLEET_MS = 300_000;
/** A cluster that is younger may not be in the picture yet. */
const NEW_MS = 3_600_000;

/** @param goOn keeps the round; throws where another copy has it */
export async function lookAtFleet(
  { outbox, conditions, fleet, quarantines, now }: FleetLookDependencies,
  goOn: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const at = now();
  const { asOf, logsAsOf } = fleet;
  if (!asOf || plus(asOf, OLD_FLEET_MS) < at) return;
  const isYoung = logsAsOf && plus(logsAsOf, OLD_FLEET_MS) >= at;
  const { known, asides, gone } = await conditions.ofBad('all', pickFor(fleet.clusters, quarantines, at), signal);
  const facts: Fact[] = [];
  for (const [id, cluster] of fleet.clusters) {
    const told = toToldCluster(id, cluster);
    const promised = () => {
      const { registeredAt, newest } = cluster;
      const intervalMs = expectedIntervalMs(cluster) ?? 0;
      const promise = { verdict: verdictOf(cluster, at), asOf, intervalMs, registeredAt, goodAt: newest?.endedAt };
      return [factOfPromise(told, promise, at)];
    };
    const logged = () => (isYoung ? factsOfLog(told, cluster.log, asides.get(id) ?? [], logsAsOf) : []);
    const found = quarantines.conditions.read(id, () => [...promised(), ...logged()]) ?? [];
    for (const fact of found) {
      const { level = 'good', grade = '' } = known.get(conditionId(fact.condition, fact.subject)) ?? {};
      if (fact.level !== level || fact.grade !== grade) facts.push(fact);
    }
  }
  for (const fact of facts) {
    await outbox.takeIn([fact], signal);
    await goOn();
  }
  await conditions.remove(gone, signal);
}

interface Standing {
  /** Broken promises and alarms of logs, by id. */
  readonly known: Map<string, Pick<ConditionState, 'level' | 'grade'>>;
  /** By cluster, the alarms that have a condition of their own. */
  readonly asides: Map<string, string[]>;
  /** Ids of what is about clusters and rules that are gone. */
  readonly gone: string[];
}

function pickFor(clusters: Fleet['clusters'], quarantines: FleetLookDependencies['quarantines'], at: Date) {
  return async (bad: AsyncIterable<ConditionState>): Promise<Standing> => {
    const standing: Standing = { known: new Map(), asides: new Map(), gone: [] };
    for await (const state of bad)
      quarantines.conditions.read(state._id, () => {
        const { _id, condition, clusterId, level, grade, since } = state;
        if (condition === 'promise' || condition === 'log') standing.known.set(_id, { level, grade });
        if (condition === 'log' && _id !== conditionId('log', clusterId))
          standing.asides.set(clusterId, [...(standing.asides.get(clusterId) ?? []), grade]);
        if (plus(since, NEW_MS) < at && isGone(state, clusters)) standing.gone.push(_id);
      });
    return standing;
  };
}

/** Whether what it is about is there no longer: the cluster, or the rule of a window. Of a storage its backups tell. */
function isGone({ _id, condition, clusterId }: ConditionState, clusters: Fleet['clusters']): boolean {
  if (condition === 'storage') return false;
  const cluster = clusters.get(clusterId);
  if (!cluster) return true;
  if (condition !== 'window') return false;
  return !cluster.rules.some(
    ({ rule, nextWindow }) => nextWindow && _id === conditionId('window', `${clusterId}:${rule}`),
  );
}
