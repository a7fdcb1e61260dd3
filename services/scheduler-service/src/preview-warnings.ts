/** What people should know before they rely on a strategy, in sentences. Pure. */
import type { Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { Fit } from '@tidemark/schedule/fit';

export interface Preview extends Fit {
  /** How many past backups were looked at. */
  readonly past: number;
  /** Whether a backup that still runs at the window's end is stopped. */
  readonly stops: boolean;
}

/** One sentence for each thing that may surprise. */
export function previewWarnings(strategy: Strategy, preview: Preview): string[] {
  const { days, paused, fleetPaused, fleetStrategy, retention } = strategy;
  return [
    ...(days.length === 0 ? ['No weekday is chosen, so nothing is backed up by this rule.'] : []),
    ...(paused ? ['The rule is paused, so nothing is started until it is resumed.'] : []),
    ...(fleetPaused
      ? [`The fleet strategy ${fleetStrategy} is paused, so nothing is started until it is resumed.`]
      : []),
    ...(retention ? [] : ['No retention is set: every backup of this rule is kept until somebody deletes it.']),
    ...windowEndWarnings(preview),
  ];
}

function windowEndWarnings({ stops, past, tooLong, smallestRoomMs, longestMs }: Preview): string[] {
  const known = past > 0 && Number.isFinite(smallestRoomMs);
  const room = `the ${lengthText(smallestRoomMs)} between start and end of the shortest window`;
  const record = `${tooLong} of the last ${past} successful backups took longer than ${room} (the longest ${lengthText(longestMs)})`;
  if (!stops) return known && tooLong > 0 ? [`It may not fit: ${record}. It is left running.`] : [];
  const rule = 'A backup that has not ended when its window closes is stopped and its files are removed.';
  if (past === 0) return [`${rule} There is no past backup to tell whether that is likely.`];
  if (!known) return [rule];
  if (tooLong > 0) return [`${rule} ${record} and would have been cut.`];
  if (past === 1)
    return [`${rule} The last successful backup would not have been cut (it took ${lengthText(longestMs)}).`];
  return [
    `${rule} None of the last ${past} successful backups would have been cut (the longest took ${lengthText(longestMs)}).`,
  ];
}

function lengthText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes === 0) return `${Math.ceil(ms / 1000)} s`;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes} min` : `${hours} h ${minutes % 60} min`;
}
