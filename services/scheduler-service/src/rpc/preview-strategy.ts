import { AppError, type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { type Backup, BackupMode, BackupOrigin, BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  PlannedStart,
  PreviewStrategyRequest,
  PreviewStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/occurrence_service';
import { type Strategy, WindowEnd } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { fitOf } from '@tidemark/schedule/fit';
import { parsePeriod } from '@tidemark/schedule/period';
import { localText, upcomingWindows, windowNotes } from '@tidemark/schedule/preview';
import { startWithin } from '@tidemark/schedule/start-offset';
import { parseWeekdays } from '@tidemark/schedule/weekdays';
import type { Window, WindowRule } from '@tidemark/schedule/window';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import { shareReads } from '@tidemark/service-kit/shared-reads';
import { type Preview, previewWarnings } from '../preview-warnings.ts';
import type { Dependencies } from './context.ts';

/** So many past backups say how long the next ones will take. */
const PAST = 30;
/** So many windows ahead are looked at for the warnings, however few are asked for: changes of clocks are in them. */
const LOOKED_AT = 60;
/** Of so many schedules the windows are remembered. */
const REMEMBERED = 100;

/** The next starts of a saved or proposed strategy; changes nothing. */
export function previewStrategy({ backends, now }: Dependencies) {
  const sharePast = shareReads<Backup[]>();
  const windowsOf = rememberWindows();
  return async (request: PreviewStrategyRequest, context: CallContext): Promise<PreviewStrategyResponse> => {
    validate(request);
    const { clusterId, rule, proposal, count } = request;
    const options = { signal: context.signal, requestId: context.requestId, caller: context.caller };
    const [{ strategy }, past] = await Promise.all([
      proposal
        ? backends.strategies.saveStrategy({ ...proposal, clusterId, rule, validateOnly: true }, options)
        : backends.strategies.getStrategy({ clusterId, rule }, options),
      sharePast(clusterId, context.signal, (signal) => pastBackups(clusterId, { backends }, { ...options, signal })),
    ]);
    if (!strategy) throw new AppError('internal', 'strategy-service answered without a strategy.');

    const pastMs = durationsOf(past, strategy.rule);
    // Without a past there is nothing that could be too long for a window.
    const starts = plannedStarts(strategy, now(), pastMs.length > 0 ? Math.max(count, LOOKED_AT) : count, windowsOf);
    const fit = fitOf(
      starts.map(({ startAt, closesAt }) => +closesAt - +startAt),
      pastMs,
    );
    const preview: Preview = { ...fit, past: pastMs.length, stops: strategy.windowEnd === WindowEnd.WINDOW_END_STOP };
    return {
      // A proposal is saved nowhere: it has no revision, and nobody saved it.
      strategy: proposal ? { ...strategy, revision: 0n, updateTime: undefined, updatedBy: '' } : strategy,
      starts: starts.slice(0, count).map((start) => toMessage(start, strategy.timeZone)),
      warnings: previewWarnings(strategy, preview),
      pastBackups: preview.past,
      pastTooLong: fit.tooLong,
      longestSeconds: fit.longestMs / 1000,
    };
  };
}

function validate({ clusterId, proposal }: PreviewStrategyRequest): void {
  const violations: FieldViolation[] = [];
  if (proposal && proposal.clusterId !== '' && proposal.clusterId !== clusterId)
    violations.push({ field: 'strategy.clusterId', description: `must be left out or be ${clusterId}` });
  if (violations.length > 0) throw invalidArgument(violations);
}

interface Start extends Window {
  readonly startAt: Date;
  readonly notes: () => string[];
}

function plannedStarts(strategy: Strategy, now: Date, count: number, windowsOf: WindowsOf): Start[] {
  const rule = ruleOf(strategy);
  if (!rule || strategy.nextWindow === undefined) return [];
  const { nextWindow, clusterId, spreadSeconds } = strategy;
  // What strategy-service plans is the first; it may be open already, or be left out because it was taken up.
  const from = new Date((nextWindow.opensAt ?? now).getTime() - 1);
  return windowsOf(rule, from, count).map((window, index) => {
    const planned = index === 0 && nextWindow.opensAt?.getTime() === window.opensAt.getTime();
    const startAt =
      planned && nextWindow.startAt
        ? nextWindow.startAt
        : startWithin(window, clusterId, strategy.rule, spreadSeconds * 1000);
    return { ...window, startAt, notes: () => windowNotes(rule, window) };
  });
}

type WindowsOf = (rule: WindowRule, from: Date, count: number) => readonly Window[];

/** Upcoming windows, which take milliseconds to find and are the same for all that have the same days, hours and zone. */
function rememberWindows(): WindowsOf {
  const remembered = new Map<string, readonly Window[]>();
  return (rule, from, count) => {
    const key = JSON.stringify([rule, from, count]);
    const windows = remembered.get(key) ?? upcomingWindows(rule, from, count, false);
    // The one that was asked for last goes last.
    remembered.delete(key);
    remembered.set(key, windows);
    const [oldest] = remembered.keys();
    if (oldest !== undefined && remembered.size > REMEMBERED) remembered.delete(oldest);
    return windows;
  };
}

function toMessage({ opensAt, closesAt, startAt, notes }: Start, timeZone: string): PlannedStart {
  return {
    opensAt,
    closesAt,
    startAt,
    localOpensAt: localText(opensAt, timeZone),
    localClosesAt: localText(closesAt, timeZone),
    localStartAt: localText(startAt, timeZone),
    notes: notes(),
  };
}

function ruleOf({ days, period, timeZone }: Strategy): WindowRule | undefined {
  const weekdays = parseWeekdays(days.join(','));
  const parsed = parsePeriod(period);
  return parsed && 'days' in weekdays ? { days: weekdays.days, period: parsed, timeZone } : undefined;
}

/** The last successful backups of a cluster. */
async function pastBackups(
  clusterId: string,
  { backends }: Pick<Dependencies, 'backends'>,
  options: CallOptions,
): Promise<Backup[]> {
  // What does not fit into one answer is done without: these few say nearly as much.
  const { backups } = await backends.backups.listBackups(
    {
      clusterIds: [clusterId],
      states: [BackupState.BACKUP_STATE_SUCCEEDED],
      origin: BackupOrigin.BACKUP_ORIGIN_UNSPECIFIED,
      mode: BackupMode.BACKUP_MODE_UNSPECIFIED,
      rule: '',
      id: '',
      startedAtOrAfter: undefined,
      endedAtOrBefore: undefined,
      includeDeleted: true,
      page: 1,
      pageSize: PAST,
      pageToken: '',
      withoutTotal: true,
      withinSight: false,
      damaged: false,
    },
    options,
  );
  return backups;
}

/** How long they took; those of the rule if there are any, else all. */
function durationsOf(backups: readonly Backup[], rule: string): number[] {
  const own = backups.filter((backup) => backup.rule === rule);
  return (own.length > 0 ? own : backups).flatMap(({ startTime, endTime }) =>
    startTime && endTime ? [endTime.getTime() - startTime.getTime()] : [],
  );
}
