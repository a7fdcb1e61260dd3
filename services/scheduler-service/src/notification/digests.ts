/** Puts the digests that are due into the outbox; any copy may, and there is one a day for each receiver. */
import { MAX_DIGEST_LINES } from '@tidemark/limits/limits';
import { plus } from '@tidemark/task/time';
import type { Fleet } from '../fleet.ts';
import { VERDICTS, type Verdict, verdictOf } from '../fleet-verdict.ts';
import type { Quarantines } from '../quarantines.ts';
import type { ConditionStore } from './condition-store.ts';
import type { ConditionState } from './decide/condition.ts';
import { deliveryId } from './decide/delivery.ts';
import { digestText, dueDigest, type Standing } from './decide/digest.ts';
import { newEvent } from './decide/event.ts';
import { chooses, type Receiver } from './decide/receiver.ts';
import type { DeliveryStore } from './delivery-store.ts';
import { lineFor } from './line-for.ts';
import type { ReceiverStore } from './receiver-store.ts';

export interface DigestDependencies {
  readonly receivers: ReceiverStore;
  readonly deliveries: DeliveryStore;
  readonly conditions: ConditionStore;
  readonly fleet: Pick<Fleet, 'clusters' | 'asOf'>;
  readonly quarantines: Pick<Quarantines, 'receivers' | 'conditions'>;
  /** Database time. */
  readonly now: () => Date;
}

const DAY_MS = 86_400_000;
/** So long a digest waits for a copy that knows the clusters. */
const STARTING_MS = 600_000;
const WORDS: Readonly<Record<Verdict, string>> = {
  never: 'never backed up',
  veryLate: 'very late',
  late: 'late',
  noPlan: 'without a plan',
  inTime: 'in time',
};
const UNREADABLE = 'of which the record is damaged';

/** One round. */
export async function acceptDigests(dependencies: DigestDependencies, signal: AbortSignal): Promise<void> {
  const { receivers, quarantines } = dependencies;
  for (const receiver of await receivers.list(signal))
    if (!receiver.paused && receiver.digest)
      await quarantines.receivers.attempt(receiver._id, () => acceptDigest(receiver, dependencies, signal), signal);
}

/** Its id is made of the day and the receiver: two that write to one address may choose other clusters. */
async function acceptDigest(receiver: Receiver, dependencies: DigestDependencies, signal: AbortSignal): Promise<void> {
  const { deliveries, conditions, fleet, quarantines, now } = dependencies;
  const { _id, digest, selector, updateTime } = receiver;
  const at = now();
  const due = digest && dueDigest(digest, updateTime, at);
  if (!due) return;
  const id = `digest.${due.date}.${_id}`;
  if (await deliveries.get(deliveryId(id, _id), signal)) return;
  // A copy that has just started knows nothing yet; that it still knows nothing later is to be told.
  if (!fleet.asOf && plus(due.at, STARTING_MS) > at) return;
  const verdicts: (Verdict | undefined)[] = [];
  for (const [clusterId, cluster] of fleet.clusters)
    if (chooses(selector, Object.entries(cluster.labels)))
      verdicts.push(quarantines.conditions.read(clusterId, () => verdictOf(cluster, at)));
  const bad = await conditions.ofBad('all', pickFor(receiver, quarantines), signal);
  const text = digestText(
    {
      clusters: verdicts.length,
      counts: [
        ...VERDICTS.map((verdict) => [WORDS[verdict], verdicts.filter((one) => one === verdict).length] as const),
        [UNREADABLE, verdicts.filter((one) => one === undefined).length],
      ],
      ...bad,
      givenUp: await deliveries.countGivenUp(plus(at, -DAY_MS), _id, signal),
      asOf: fleet.asOf,
    },
    at,
  );
  const event = newEvent({ id, type: 'digest', topic: 'digest', severity: 'info', at, text }, {});
  await deliveries.accept(event, _id, {}, signal);
}

/** What of all that is bad a receiver is to know. */
function pickFor(receiver: Receiver, quarantines: DigestDependencies['quarantines']) {
  return async (all: AsyncIterable<ConditionState>): Promise<Pick<Standing, 'badCount' | 'bad'>> => {
    const bad: string[] = [];
    let badCount = 0;
    for await (const state of all) {
      const line = lineFor(receiver, state, quarantines);
      if (line === undefined) continue;
      badCount += 1;
      if (bad.length < MAX_DIGEST_LINES) bad.push(line);
    }
    return { badCount, bad };
  };
}
