/** What is said of the fleet and of its clusters, in sentences. Pure. */
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { BackupState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import {
  type FleetCount,
  type FleetRow,
  FleetVerdict,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { coarse, count } from './quantities.ts';

const DAY_SECONDS = 86_400;
const UNSAFE: readonly number[] = [FleetVerdict.NEVER, FleetVerdict.VERY_LATE, FleetVerdict.LATE];

export interface FleetTotals {
  readonly all: number;
  /** Without a good backup in time, though rules plan some. */
  readonly unsafe: number;
  readonly unplanned: number;
  readonly of: (verdict: number) => number;
}

export function totalsOf(counts: readonly Pick<FleetCount, 'verdict' | 'count'>[]): FleetTotals {
  const of = (verdict: number) => counts.find((one) => one.verdict === verdict)?.count ?? 0;
  return {
    all: counts.reduce((sum, one) => sum + one.count, 0),
    unsafe: UNSAFE.reduce((sum, verdict) => sum + of(verdict), 0),
    unplanned: of(FleetVerdict.NO_PLAN),
    of,
  };
}

/** The one sentence that people open the console for. */
export function fleetSentence({ all, unsafe, unplanned }: FleetTotals, isFiltered: boolean): string {
  const these = isFiltered ? `of these ${count(all, 'cluster')}` : `of ${count(all, 'cluster')}`;
  if (all === 0) return isFiltered ? 'No cluster fits these filters' : 'No cluster is registered yet';
  if (unsafe > 0)
    return `${unsafe.toLocaleString('en')} ${these} ${unsafe === 1 ? 'has' : 'have'} no good backup in time`;
  if (unplanned === all) return all === 1 ? 'The only cluster has no plan' : `None ${these} has a plan`;
  if (unplanned > 0)
    return `${unplanned.toLocaleString('en')} ${these} ${unplanned === 1 ? 'has' : 'have'} no plan; all others are safe`;
  if (all === 1) return isFiltered ? 'This cluster is safe' : 'The only cluster is safe';
  return `All ${isFiltered ? 'these ' : ''}${count(all, 'cluster')} are safe`;
}

/** A cluster, as far as it has had backups. */
type Begun = Partial<Pick<FleetRow, 'active' | 'last' | 'nextStartTime'>>;
export type Judged = Pick<FleetRow, 'verdict' | 'goodEndTime' | 'intervalSeconds'> & Begun;

/** Why a cluster has its verdict. */
export function whyOf(row: Judged, nowMs: number): string {
  const { verdict, goodEndTime, intervalSeconds } = row;
  const planned =
    intervalSeconds > 0 ? `planned every ${intervalSeconds === DAY_SECONDS ? 'day' : coarse(intervalSeconds)}` : '';
  const good = goodEndTime ? `newest good backup ${age(goodEndTime, nowMs)} old` : 'no good backup';
  switch (verdict) {
    case FleetVerdict.NEVER:
      return [`${good} yet`, planned, firstOf([row], nowMs)].filter(Boolean).join(', ');
    case FleetVerdict.NO_PLAN:
      return `no rule plans any backup; ${good}`;
    default:
      return [good, planned].filter(Boolean).join(', ');
  }
}

/** Of clusters of which none has had a backup that ended: that the first one runs or waits, or when it is due. Nothing where one has, or none is planned. */
export function firstOf(rows: readonly Begun[], nowMs: number): string | undefined {
  if (rows.length === 0 || rows.some(({ last }) => last)) return undefined;
  const states = rows.flatMap(({ active }) => (active ? [active.state] : []));
  if (states.some((state) => state !== BackupState.QUEUED)) return 'the first one runs';
  if (states.length > 0) return 'the first one waits for its turn';
  const starts = rows.flatMap(({ nextStartTime }) => (nextStartTime ? [timestampMs(nextStartTime)] : []));
  if (starts.length === 0) return undefined;
  const seconds = (Math.min(...starts) - nowMs) / 1_000;
  return seconds > 0 ? `first backup due in ${coarse(seconds)}` : 'first backup due now';
}

function age(at: Timestamp, nowMs: number): string {
  return coarse(Math.max(0, nowMs - timestampMs(at)) / 1_000);
}

/** `key=value` as labels are written, such as in addresses. Nothing where it is none. */
export function labelOf(text: string): readonly [string, string] | undefined {
  const at = text.indexOf('=');
  return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : undefined;
}
