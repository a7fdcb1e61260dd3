import { counter } from '@tidemark/service-kit/metrics';
import type { Occurrence } from './catch-up.ts';
import { log } from './logger.ts';

const decided = counter('tidemark_occurrences_total', 'Windows that came, by what became of them.', ['state']);

const facts = ({ _id, clusterId, rule, opensAt, closesAt }: Occurrence) => ({
  occurrenceId: _id,
  clusterId,
  rule,
  opensAt,
  closesAt,
});

export function windowCame(occurrence: Occurrence): void {
  log.info(facts(occurrence), 'a window came');
}

export function startWaits(occurrence: Occurrence, reason: string, requestId: string): void {
  log.info({ ...facts(occurrence), reason, requestId }, 'a start waits');
}

export function occurrenceDecided(
  occurrence: Occurrence,
  { state, backupId, reason }: Pick<Occurrence, 'state' | 'backupId' | 'reason'>,
  requestId: string,
): void {
  decided.inc({ state });
  const level = state === 'Started' ? 'info' : 'warn';
  log[level]({ ...facts(occurrence), state, backupId, reason, requestId }, `window is ${state}`);
}
