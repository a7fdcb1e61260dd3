/**
 * What runs in clusters and what ended there last, kept for those who look at the fleet again and again.
 *
 * A1. What is kept of a cluster holds until a change of it is told. Before each answer changes are asked for: one question at a time, and
 *     the next for all who came meanwhile.
 * A2. An answer that was under way while a change of its cluster was told may be older than that: it is given to those who waited, and
 *     not kept.
 * A3. The question for changes goes on behind the last one only once all that it told was taken in. After a pause everything is
 *     forgotten instead of asking for all that changed since.
 * A4. A place in a queue moves with other backups, and a record may go without a word: nothing is kept for long.
 * A5. What is asked for is kept, also where the one who asked has gone: the next one finds it.
 */
import type { ChangedBackup, ClusterActivity } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { askedAhead, raceAbort } from '@tidemark/service-kit/abort';
import { activityOf, beginOfChanges, changesAfter, createTakenIn } from './activity.ts';
import type { Backends } from './backends.ts';
import { CALLER } from './due-loop.ts';

export interface Activities {
  /** Of each of the clusters that has a backup, as it is now. */
  of(clusterIds: readonly string[], signal: AbortSignal): Promise<Map<string, ClusterActivity>>;
}

export interface ActivitiesDependencies {
  readonly backends: Pick<Backends, 'backups'>;
  /** Database time. */
  readonly now: () => Date;
}

interface Kept {
  /** Absent where the cluster has no backup. */
  readonly activity: ClusterActivity | undefined;
  /** In database time. */
  readonly until: number;
}

type Answer = Promise<ClusterActivity | undefined>;

const PAUSE_MS = 60_000;
const KEPT_MS = 300_000;
const QUEUED_KEPT_MS = 5_000;
/** As long as a call between services may take. */
const LONGEST_MS = 5_000;

export function createActivities({ backends, now }: ActivitiesDependencies): Activities {
  const kept = new Map<string, Kept>();
  const asked = new Map<string, Answer>();
  const takenIn = createTakenIn();
  /** Where the next question for changes goes on. */
  let after: Date | undefined;
  /** When the last question that was taken in began. */
  let askedAt = 0;
  let reading: Promise<void> | undefined;

  const options = () => ({ signal: AbortSignal.timeout(LONGEST_MS), caller: CALLER });

  function forget(clusterId: string): void {
    kept.delete(clusterId);
    asked.delete(clusterId);
  }

  async function readChanges(): Promise<void> {
    const begunAt = now().getTime();
    if (after === undefined || begunAt - askedAt > PAUSE_MS) {
      after = await beginOfChanges(backends, options());
      for (const known of [kept, asked, takenIn]) known.clear();
    } else {
      const { changes, nextAfter } = await changesAfter(backends, after, options());
      takeIn(changes, nextAfter);
      after = nextAfter;
    }
    askedAt = begunAt;
  }

  function takeIn(changes: readonly ChangedBackup[], nextAfter: Date): void {
    for (const { clusterId } of changes.filter(takenIn.isNew)) forget(clusterId);
    takenIn.add(changes);
    takenIn.forgetBefore(nextAfter);
    for (const [id, { until }] of kept) if (until <= nextAfter.getTime()) kept.delete(id);
  }

  /** Takes in what changed until now: a question that is under way may have looked before. */
  async function catchUp(): Promise<void> {
    await reading?.catch(() => undefined);
    reading ??= readChanges().finally(() => {
      reading = undefined;
    });
    await reading;
  }

  function ask(clusterIds: readonly string[]): void {
    const all = askedAhead(activityOf(backends, clusterIds, options()));
    for (const id of clusterIds) {
      const answer = askedAhead(all.then((found) => found.get(id)));
      asked.set(id, answer);
      const settle = (keep: () => void) => {
        if (asked.get(id) !== answer) return;
        asked.delete(id);
        keep();
      };
      answer.then(
        (activity) => settle(() => kept.set(id, { activity, until: now().getTime() + keptFor(activity) })),
        () => settle(() => undefined),
      );
    }
  }

  return {
    async of(clusterIds, signal) {
      await raceAbort(catchUp(), signal);
      const at = now().getTime();
      const isKept = (id: string) => (kept.get(id)?.until ?? 0) > at;
      const missing = [...new Set(clusterIds)].filter((id) => !isKept(id) && !asked.has(id));
      if (missing.length > 0) ask(missing);
      const answers = clusterIds.map(async (id) => [id, await (asked.get(id) ?? kept.get(id)?.activity)] as const);
      const found = await raceAbort(Promise.all(answers), signal);
      return new Map(found.flatMap(([id, activity]) => (activity ? [[id, activity]] : [])));
    },
  };
}

const keptFor = (activity: ClusterActivity | undefined) =>
  (activity?.active?.queuePosition ?? 0) > 0 ? QUEUED_KEPT_MS : KEPT_MS;
