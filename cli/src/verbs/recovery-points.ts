import { DEFAULT_PAGE_SIZE, MAX_COMMAND_ROWS, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { answered } from '../api.ts';
import type { RecoveryPoint, RecoveryRange } from '../api-types.ts';
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

export function add(program: Program, run: Run): void {
  program
    .command('recovery-points')
    .summary('to which moments a cluster can be brought back')
    .description(
      'Shows to which moments a cluster can be brought back, the newest first, and what would be lost. Exit code 1 where there is none.',
    )
    .argument('<cluster>', 'the cluster', toId)
    .option('--limit <count>', `how many (${DEFAULT_PAGE_SIZE})`, wholeNumber(1, MAX_COMMAND_ROWS))
    .addHelpText('after', examples('recovery-points orders', 'recovery-points orders -o json'))
    .action((clusterId, { limit = DEFAULT_PAGE_SIZE }) =>
      run(async ({ api, output, tell }) => {
        const { answer, items, pageToken } = await readPages(limit, MAX_PAGE_SIZE, async (pageSize, token) => {
          const query = { pageSize, ...(token !== undefined && { pageToken: token }) };
          const { data } = await answered(
            api.GET('/clusters/{clusterId}/recovery-points', { params: { path: { clusterId }, query } }),
          );
          return { answer: data, items: data.snapshots, pageToken: data.pageToken };
        });
        const { pageToken: _, ...rest } = answer;
        const { newest, newestTime, rpoSeconds, estimate } = answer;
        const title = newest
          ? {
              text: `The newest is ${when(newestTime ?? newest.time)}: ${duration(rpoSeconds ?? 0)} would be lost${estimate ? `, and a restore takes about ${duration(estimate.snapshotSeconds)}` : ''}.`,
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
