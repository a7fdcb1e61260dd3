/**
 * Until where the logs of a cluster may be truncated, which of them may go, and why the others stay.
 *
 * K3. A log is truncated up to the base of its horizon: that which serves now, and that which serves if the removals that can be taken
 *     back are. A snapshot that is kept for another reason holds no log.
 * K4. Nothing of a log is taken while a restore reads it or a truncation is under way. A log that ended goes with its last point of
 *     the horizon.
 * K6. What somebody began in the place of an earlier log is truncated, and goes, once that one is gone: both lie in one place.
 */
import { type Needed, needed } from './needed.ts';
import { type Generation, type RecoveryState, smaller, withRemovalsTakenBack } from './state.ts';

export interface LogView {
  /** The oldest point that is to stay restorable: now less the horizon, as a TSO. */
  readonly from: bigint;
  /** How points are told. */
  readonly tell: (point: bigint) => string;
}

export interface Truncation {
  readonly generation: number;
  readonly until: bigint;
}

export interface LogPlan {
  readonly truncate: readonly Truncation[];
  readonly removeGenerations: readonly number[];
  /** Of each log that stays. */
  readonly logReasons: ReadonlyMap<number, readonly string[]>;
}

export function planLogs(state: RecoveryState, view: LogView): LogPlan {
  const logFrom = earliest(needed(state, view.from).logFrom, needed(withRemovalsTakenBack(state), view.from).logFrom);
  const logs = state.generations.map((one) => ({ one, reasons: reasonsOf(one, logFrom, view) }));
  return {
    truncate: state.generations.flatMap((one) => truncationOf(one, logFrom)),
    removeGenerations: logs.filter(({ reasons }) => reasons.length === 0).map(({ one }) => one.n),
    logReasons: new Map(logs.filter(({ reasons }) => reasons.length > 0).map(({ one, reasons }) => [one.n, reasons])),
  };
}

/** Of each log the earlier of both. */
function earliest(one: Needed['logFrom'], other: Needed['logFrom']): Needed['logFrom'] {
  const both = new Map(one);
  for (const [n, from] of other) both.set(n, smaller(both.get(n) ?? from, from));
  return both;
}

function reasonsOf(generation: Generation, logFrom: Needed['logFrom'], { from, tell }: LogView): string[] {
  const { n, open, max, holds, truncating, inPlaceOf } = generation;
  const start = logFrom.get(n);
  return [
    ...(open ? ['still written'] : []),
    ...(holds.length > 0 ? ['in use'] : []),
    ...(truncating ? ['being truncated'] : []),
    ...(inPlaceOf === undefined ? [] : [`in the place of log ${inPlaceOf}`]),
    ...(start === undefined ? [] : [`replayed from the backup at ${tell(start)}`]),
    ...(max !== null && max >= from ? [`reaches into the horizon, to ${tell(max)}`] : []),
  ];
}

function truncationOf(generation: Generation, logFrom: Needed['logFrom']): Truncation[] {
  const { n, min, holds, truncating, inPlaceOf } = generation;
  const until = logFrom.get(n);
  if (until === undefined || min === null || until <= min || holds.length > 0 || truncating) return [];
  if (inPlaceOf !== undefined) return [];
  return [{ generation: n, until }];
}
