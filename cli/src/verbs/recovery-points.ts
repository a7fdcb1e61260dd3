import { DEFAULT_PAGE_SIZE, MAX_COMMAND_ROWS, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { answered } from '../api.ts';
import type { RecoveryPoint, RecoveryPoints, RecoveryRange } from '../api-types.ts';
import { toMoment } from '../moment.ts';
import { examples, type Program, toId, wholeNumber } from '../options.ts';
import { readPages } from '../pages.ts';
import type { Run } from '../session.ts';
import type { Column } from '../table.ts';
import { duration, size, when } from '../text.ts';

const RANGE_COLUMNS: readonly Column<RecoveryRange>[] = [
  { title: 'EVERY SECOND FROM', of: ({ from }) => when(from) },
  { title: 'TO', of: ({ to }) => when(to) },
  { title: 'LOG', of: ({ generation }) => String(generation) },
  { title: 'FIRST BACKUP', of: ({ baseBackupId }) => baseBackupId },
];

const COLUMNS: readonly Column<RecoveryPoint>[] = [
  { title: 'MOMENT', of: ({ time }) => when(time) },
  { title: 'BACKUP', of: ({ backupId }) => backupId },
  { title: 'SIZE', of: ({ sizeBytes }) => size(sizeBytes) },
  {
    title: 'VERIFIED',
    of: ({ verification }) => (verification ? `${when(verification.at)} (${verification.level})` : '-'),
  },
  { title: 'VERSION', of: ({ clusterVersion }) => clusterVersion, wide: true },
  { title: 'STORAGE', of: ({ storageId }) => storageId, wide: true },
  { title: 'TSO', of: ({ tso }) => tso, wide: true },
];

/** What is known of a moment: the range that has it, else the hole, and the nearest moments that ranges have. */
interface Found {
  readonly range?: RecoveryRange;
  readonly hole?: RecoveryPoints['holes'][number];
  readonly before?: string;
  readonly after?: string;
}

function findMoment({ ranges = [], holes = [] }: Pick<RecoveryPoints, 'ranges' | 'holes'>, at: Date): Found {
  const has = ({ from, to }: { readonly from: string; readonly to: string }) =>
    Date.parse(from) <= at.getTime() && at.getTime() <= Date.parse(to);
  const range = ranges.find(has);
  if (range) return { range };
  const hole = holes.find(has);
  const ends = ranges.map(({ to }) => to).filter((to) => Date.parse(to) < at.getTime());
  const beginnings = ranges.map(({ from }) => from).filter((from) => Date.parse(from) > at.getTime());
  const [before] = ends.sort().reverse();
  const [after] = beginnings.sort();
  return { ...(hole && { hole }), ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
}

function sentenceOn(clusterId: string, at: Date, { range, hole, before, after }: Found, command: string): string {
  const moment = at.toISOString();
  if (range)
    return `${clusterId} can be brought back to ${when(moment)}, by log ${range.generation}. What that would do is said by: ${command} restore plan --of ${clusterId} --at ${moment} --into <cluster>`;
  const near = [before && `before it ${when(before)}`, after && `after it ${when(after)}`]
    .filter(Boolean)
    .join(' and ');
  return `${clusterId} cannot be brought back to ${when(moment)}${hole ? ` (${hole.why})` : ''}. ${near ? `The nearest moment is ${near}.` : 'No log backup leads anywhere; backups are restored by their ids.'}`;
}

export function add(program: Program, run: Run): void {
  program
    .command('recovery-points')
    .alias('recovery')
    .summary('to which moments a cluster can be brought back')
    .description(
      'Shows to which moments a cluster can be brought back, the newest first, and what would be lost; with --at, whether to that one. Exit code 1 where it cannot be brought back.',
    )
    .argument('<cluster>', 'the cluster', toId)
    .option('--limit <count>', `how many (${DEFAULT_PAGE_SIZE})`, wholeNumber(1, MAX_COMMAND_ROWS))
    .option('--at <moment>', 'only this one, such as "yesterday 10:15"; without a zone it is of this machine', toMoment)
    .addHelpText(
      'after',
      examples(
        'recovery-points orders',
        'recovery-points orders --at "yesterday 10:15"',
        'recovery-points orders -o json',
      ),
    )
    .action((clusterId, { at, limit = DEFAULT_PAGE_SIZE }) =>
      run(async ({ api, output, tell, command }) => {
        if (at) {
          const params = { path: { clusterId }, query: { pageSize: 1 } };
          const { data } = await answered(api.GET('/clusters/{clusterId}/recovery-points', { params }));
          const found = findMoment(data, at);
          if (!output.isTable) await output.record({ at: at.toISOString(), ...found }, []);
          else tell(sentenceOn(clusterId, at, found, command), found.range ? 'green' : 'red');
          return found.range ? 0 : 1;
        }
        const { answer, items, pageToken } = await readPages(limit, MAX_PAGE_SIZE, async (pageSize, token) => {
          const query = { pageSize, ...(token !== undefined && { pageToken: token }) };
          const { data } = await answered(
            api.GET('/clusters/{clusterId}/recovery-points', { params: { path: { clusterId }, query } }),
          );
          return { answer: data, items: data.snapshots, pageToken: data.pageToken };
        });
        const { pageToken: _, ...rest } = answer;
        const { newest, newestTime, rpoSeconds, worstRpoSeconds, estimate } = answer;
        const worst =
          worstRpoSeconds === undefined ? '' : ` (at most ${duration(worstRpoSeconds)} in the last 30 days)`;
        const title = newest
          ? {
              text: `The newest is ${when(newestTime ?? newest.time)}: ${duration(rpoSeconds ?? 0)} would be lost${worst}${estimate ? `, and a restore takes about ${duration(estimate.snapshotSeconds)}` : ''}.`,
            }
          : { text: 'It cannot be brought back: there is no good backup.', style: 'red' as const };
        // A gateway of an earlier version tells of none.
        const { ranges = [] } = answer;
        const hasRanges = output.isTable && ranges.length > 0;
        if (hasRanges) await output.list({}, ranges, RANGE_COLUMNS, title);
        await output.list(
          { ...rest, snapshots: items, ...(pageToken !== undefined && { pageToken }) },
          items,
          COLUMNS,
          hasRanges ? undefined : title,
        );
        if (pageToken !== undefined) tell('There are more: --limit says how many are listed.');
        return newest ? 0 : 1;
      }),
    );
}
