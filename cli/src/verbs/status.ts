import { MAX_COMMAND_ROWS } from '@tidemark/limits/limits';
import { answered } from '../api.ts';
import type { FleetRow } from '../api-types.ts';
import { EXIT, UsageError } from '../exit.ts';
import { follow } from '../follow.ts';
import { examples, PATIENCE, type Program, toIds, toLabel, toTexts, wholeNumber } from '../options.ts';
import { readPages } from '../pages.ts';
import type { Run, Session } from '../session.ts';
import type { Column } from '../table.ts';
import type { Style } from '../terminal.ts';
import { counted, duration, isSet, labelsOf, when } from '../text.ts';

const PAGE = 200;
const SHOWN = 50;
const NOT_IN_TIME = ['never', 'veryLate', 'late'] as const;

const VERDICTS: Readonly<Record<FleetRow['verdict'], { readonly text: string; readonly style?: Style }>> = {
  never: { text: 'never backed up', style: 'red' },
  veryLate: { text: 'very late', style: 'red' },
  late: { text: 'late', style: 'yellow' },
  noPlan: { text: 'no plan', style: 'yellow' },
  inTime: { text: 'in time', style: 'green' },
  unknown: { text: 'unknown' },
};

const UNSAFE_LOGS = ['critical', 'warning'] as const;
type LogVerdict = NonNullable<FleetRow['log']>['verdict'];

const LOG_VERDICTS: Readonly<Record<LogVerdict, { readonly text: string; readonly style?: Style }>> = {
  critical: { text: 'critical', style: 'red' },
  warning: { text: 'warning', style: 'yellow' },
  waiting: { text: 'waiting' },
  healthy: { text: 'healthy', style: 'green' },
  off: { text: 'off' },
  unknown: { text: 'unknown' },
};

const COLUMNS: readonly Column<FleetRow>[] = [
  { title: 'CLUSTER', of: ({ clusterId }) => clusterId },
  { title: 'NAME', of: ({ name }) => name, wide: true },
  {
    title: 'VERDICT',
    of: ({ verdict }) => VERDICTS[verdict]?.text ?? verdict,
    style: ({ verdict }) => VERDICTS[verdict]?.style,
  },
  { title: 'NEWEST GOOD', of: ({ newestGood }) => (newestGood ? `${duration(newestGood.ageSeconds)} ago` : '-') },
  { title: 'LOG', of: logOf, style: ({ log }) => log && LOG_VERDICTS[log.verdict]?.style },
  { title: 'WOULD LOSE', of: ({ rpoSeconds }) => (rpoSeconds === undefined ? '-' : duration(rpoSeconds)), wide: true },
  { title: 'EVERY', of: ({ intervalSeconds }) => (intervalSeconds ? duration(intervalSeconds) : '-'), wide: true },
  { title: 'NOW', of: nowOf },
  { title: 'LAST', of: lastOf, style: ({ last }) => (last?.state === 'Failed' ? 'red' : undefined) },
  { title: 'NEXT', of: ({ nextStartTime }) => when(nextStartTime) },
  { title: 'VERIFIED POINT', of: ({ verifiedPointTime }) => when(verifiedPointTime), wide: true },
  { title: 'PROVEN', of: ({ lastProven }) => when(lastProven?.time), wide: true },
  { title: 'LABELS', of: ({ labels }) => labelsOf(labels), wide: true },
  { title: 'WHY', of: ({ last }) => last?.reason ?? '-', wide: true },
  { title: 'LOG ALARM', of: ({ log }) => log?.alarm?.message ?? '-', wide: true },
];

export function add(program: Program, run: Run): void {
  program
    .command('status')
    .summary('whether all clusters are safe, the least safe first')
    .description(
      'Shows whether the newest good backup of each cluster is as new as its rules promise, and how its log backup stands, the least safe first. Exit code 1 where one is late, was never backed up, or has an alarm of the log that is wanted.',
    )
    .option('--cluster <id>', 'only this cluster; may be given again', toIds)
    .option('--label <name=value>', 'only clusters with this label; may be given again', toLabel)
    .option(
      '--verdict <verdict>',
      'only with this verdict: never, veryLate, late, noPlan or inTime; may be given again',
      toTexts,
    )
    .option(
      '--log <verdict>',
      'only where the log backup is: critical, warning, waiting, healthy or off; may be given again',
      toTexts,
    )
    .option('--text <text>', 'only where the id or the name contains this')
    .option('--watch', 'go on, and show what changes')
    .option(...PATIENCE)
    .option(
      '--limit <count>',
      `how many clusters are shown (${SHOWN}; all of them but in tables)`,
      wholeNumber(1, MAX_COMMAND_ROWS),
    )
    .addHelpText(
      'after',
      examples(
        'status',
        'status --watch',
        'status --label env=prod',
        'status --verdict veryLate -o json',
        'status --log critical --log warning -o wide',
      ),
    )
    .action(({ cluster, label, verdict, log, text, limit, watch, patience }) =>
      run(async (session) => {
        const { api, output, tell } = session;
        if (watch) {
          if (verdict || log)
            throw new UsageError(`--${verdict ? 'verdict' : 'log'} says nothing to --watch: verdicts change.`);
          return await watchFleet(
            { clusterId: cluster ?? [], label: label ?? [], ...(text !== undefined && { text }) },
            limit ?? SHOWN,
            session,
            patience,
          );
        }
        const most = limit ?? (output.isTable ? SHOWN : MAX_COMMAND_ROWS);
        let isWithoutActivity = false;
        const fleet = await readPages(most, PAGE, async (pageSize, pageToken) => {
          const query = {
            pageSize,
            ...(pageToken !== undefined && { pageToken }),
            clusterId: cluster ?? [],
            label: label ?? [],
            // The server knows the words, and names what is none.
            verdict: (verdict ?? []) as Exclude<FleetRow['verdict'], 'unknown'>[],
            log: (log ?? []) as Exclude<LogVerdict, 'unknown'>[],
            ...(text !== undefined && { text }),
          };
          const { data } = await answered(api.GET('/fleet', { params: { query } }));
          isWithoutActivity ||= data.withoutActivity === true;
          return { answer: data, items: data.clusters, pageToken: data.pageToken };
        });
        const { counts, logCounts, asOf } = fleet.answer;
        const missing = isWithoutActivity ? { withoutActivity: true } : {};
        const answer = { ...rest(fleet), clusters: fleet.items, ...missing };
        const title = titleOf(counts, logCounts);
        await output.list(answer, fleet.items, COLUMNS, title);
        if (output.isTable && fleet.pageToken !== undefined) tell(`There are more: --limit says how many are shown.`);
        if (output.isTable && isSet(asOf)) tell(`As of ${when(asOf)}.`);
        if (isWithoutActivity)
          tell('What runs, and what ended last, could not be asked for in time and is left out: ask again.');
        return lateOf(counts) + unsafeOf(logCounts) > 0 ? EXIT.failed : EXIT.done;
      }),
    );
}

function rest<Answer extends object>({
  answer,
  pageToken,
}: {
  readonly answer: Answer;
  readonly pageToken?: string | undefined;
}) {
  const { pageToken: _, ...kept } = answer as Answer & { readonly pageToken?: string };
  return { ...kept, ...(pageToken !== undefined && { pageToken }) };
}

type Counts = Readonly<Record<string, number>>;

const lateOf = (counts: Counts): number => NOT_IN_TIME.reduce((total, name) => total + (counts[name] ?? 0), 0);

/** A server of before tells nothing of logs. */
const unsafeOf = (counts: Counts | undefined): number =>
  UNSAFE_LOGS.reduce((total, name) => total + (counts?.[name] ?? 0), 0);

function titleOf(counts: Counts, logCounts: Counts | undefined): { readonly text: string; readonly style: Style } {
  const late = lateOf(counts);
  const logs = unsafeOf(logCounts);
  const alarmed = logs > 0 ? ` ${counted(logs, 'log backup')} ${logs === 1 ? 'has' : 'have'} an alarm.` : '';
  const all = Object.values(counts).reduce((total, count) => total + count, 0);
  if (late > 0)
    return {
      text: `${late} of ${counted(all, 'cluster')} ${late === 1 ? 'has' : 'have'} no good backup in time.${alarmed}`,
      style: 'red',
    };
  if (logs > 0) return { text: `${counted(all, 'cluster')}: none is late.${alarmed}`, style: 'red' };
  return { text: all === 0 ? 'There is no cluster.' : `${counted(all, 'cluster')}: none is late.`, style: 'green' };
}

/** What an event of the fleet holds. */
interface Changed {
  readonly restart?: boolean;
  readonly clusters: readonly FleetRow[];
  readonly goneClusterIds?: readonly string[];
  readonly counts?: Counts;
  readonly logCounts?: Counts;
  /** Once all of what changed has come. */
  readonly cursor?: string;
}

/** As the server orders the fleet. */
const WORST_FIRST = ['never', 'veryLate', 'log critical', 'late', 'log warning', 'noPlan', 'inTime', 'unknown'];

function rankOf({ verdict, log }: FleetRow): number {
  const ofLog = WORST_FIRST.indexOf(`log ${log?.verdict}`);
  return ofLog === -1 ? WORST_FIRST.indexOf(verdict) : Math.min(WORST_FIRST.indexOf(verdict), ofLog);
}

const CLEAR = '\u001b[H\u001b[2J\u001b[3J';

/** Shows the fleet again with each change on a terminal; elsewhere the clusters that changed. */
async function watchFleet(
  query: { readonly clusterId: string[]; readonly label: string[]; readonly text?: string },
  shown: number,
  session: Session,
  patience: number | undefined,
): Promise<never> {
  const { api, output, data } = session;
  const rows = new Map<string, FleetRow>();
  let counts: Counts = {};
  let logCounts: Counts = {};
  const each = async ({ restart, clusters, goneClusterIds = [], counts: now, logCounts: logsNow, cursor }: Changed) => {
    if (restart) rows.clear();
    for (const row of clusters) rows.set(row.clusterId, row);
    for (const id of goneClusterIds) rows.delete(id);
    counts = now ?? counts;
    logCounts = logsNow ?? logCounts;
    if (!(output.isTable && data.isTerminal)) {
      for (const row of clusters)
        await output.item(
          row,
          [when(new Date().toISOString()), ...COLUMNS.flatMap(({ wide, of }) => (wide ? [] : [of(row)]))].join('  '),
        );
      return;
    }
    // A part of them is nothing to look at.
    if (cursor === undefined) return;
    const worst = [...rows.values()].sort((one, other) => rankOf(one) - rankOf(other));
    data.write(CLEAR);
    await output.list({}, worst.slice(0, shown), COLUMNS, titleOf(counts, logCounts));
  };
  return (await follow<Changed>(
    {
      open: (options) => api.GET('/fleet/watch', { params: { query }, ...options }),
      event: 'fleet',
      isOver: () => false,
      standingOf: () => ({ state: '' }),
      each,
    },
    session,
    { patience },
  )) as never;
}

function nowOf({ active }: FleetRow): string {
  if (!active) return '-';
  if (active.queuePosition !== undefined) return `${active.state} #${active.queuePosition}`;
  return active.percent === undefined ? active.state : `${active.state} ${Math.floor(active.percent)} %`;
}

function logOf({ log }: FleetRow): string {
  if (!log) return '-';
  const { verdict, wanted, alarm } = log;
  const why = alarm?.name ?? (wanted === 'paused' ? 'paused' : undefined);
  return why === undefined ? LOG_VERDICTS[verdict].text : `${LOG_VERDICTS[verdict].text}: ${why}`;
}

function lastOf({ last }: FleetRow): string {
  if (!last) return '-';
  return last.code === undefined ? last.state : `${last.state}: ${last.code}`;
}
