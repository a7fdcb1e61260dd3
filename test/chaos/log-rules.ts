/** What a run must leave of log backups and of the points that are shown: L1, L11 and P1, by documents, by clusters and by restores. */
import type { Evidence } from './evidence.ts';

type Judge = (evidence: Evidence) => Iterable<string>;

export const LOG_RULES = {
  *'logs ended as they were wanted'({ logs: { problems }, logDocuments }) {
    yield* problems;
    for (const { _id, wanted, task, generations } of logDocuments) {
      if (wanted !== 'off') yield `the log of ${_id} is wanted ${wanted}`;
      if (task?.act) yield `an act on the log of ${_id} has not ended`;
      for (const { n, open, truncating } of generations) {
        if (open) yield `log ${n} of ${_id} has not ended`;
        if (truncating) yield `something is still taken out of log ${n} of ${_id}`;
      }
    }
  },

  /** Each log has a name and a path of its own, and what is promised of it has a beginning before its end. */
  *'each log is one start'({ logDocuments }) {
    const names = new Map<string, string>();
    for (const { _id, generations } of logDocuments)
      for (const { n, taskName, startTs, min, max } of generations) {
        const own = `${taskName} ${startTs}`;
        const before = names.get(own);
        if (startTs !== null && before !== undefined) yield `log ${n} of ${_id} is the start of ${before}`;
        names.set(own, `log ${n} of ${_id}`);
        if (min !== null && max !== null && BigInt(min) > BigInt(max))
          yield `log ${n} of ${_id} is from ${min} to ${max}`;
      }
  },

  *'a point that is shown can be restored'({ logs: { sights } }) {
    for (const { clusterId, generation, at, end, same } of sights) {
      const point = `${at} of log ${generation} of ${clusterId}`;
      if (end !== 'Succeeded') yield `${point}: ${end}`;
      else if (!same) yield `${point}: the rows are not those of that moment`;
    }
  },

  *'the log of others is left alone'({ logs: { othersKept } }) {
    if (!othersKept) yield 'the log backup of somebody else is not as it was';
  },
} as const satisfies Record<string, Judge>;

export type LogRuleName = keyof typeof LOG_RULES;
