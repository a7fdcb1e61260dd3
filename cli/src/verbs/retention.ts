import { answered } from '../api.ts';
import type { RetentionVerdict } from '../api-types.ts';
import { examples, type Program, toId } from '../options.ts';
import type { Run } from '../session.ts';
import { RETENTION, type RetentionOptions, retentionOf } from '../strategy-options.ts';
import type { Column } from '../table.ts';
import { counted, isSet, size, when } from '../text.ts';
import { withOptions } from '../with-options.ts';

const COLUMNS: readonly Column<RetentionVerdict>[] = [
  { title: 'BACKUP', of: ({ backupId }) => backupId },
  { title: 'STARTED', of: ({ startTime }) => when(startTime) },
  { title: 'SIZE', of: ({ sizeBytes }) => size(sizeBytes) },
  {
    title: 'IS',
    of: ({ keepReasons }) => (keepReasons.length === 0 ? 'removed' : `kept: ${keepReasons.join(', ')}`),
    style: ({ keepReasons }) => (keepReasons.length === 0 ? 'yellow' : undefined),
  },
  { title: 'UNTIL', of: ({ expiresAt }) => (isSet(expiresAt) ? when(expiresAt) : '-') },
];

export function add(program: Program, run: Run): void {
  const group = program
    .command('retention')
    .summary('what a retention keeps and what it removes')
    .description('Retention: which backups of a rule are kept. Nothing here changes anything.');
  withOptions<RetentionOptions>(RETENTION)(
    group
      .command('evaluate')
      .description('Shows what the retention of a rule keeps and removes: as it is stored, or as if it were changed.')
      .argument('<cluster>', 'the cluster', toId)
      .option('--rule <rule>', 'the rule (default)', toId),
  )
    .addHelpText('after', examples('retention evaluate orders', 'retention evaluate orders --keep-last 3 --monthly 12'))
    .action((clusterId, { rule, ...options }) =>
      run(async ({ api, output }) => {
        const retention = retentionOf(options);
        const body = { ...(rule !== undefined && { rule }), ...(retention !== undefined && { retention }) };
        const { data } = await answered(
          api.POST('/clusters/{clusterId}/retention/simulate', { params: { path: { clusterId } }, body }),
        );
        const title = `${counted(data.removed.length, 'backup')} with ${size(data.bytesToFree)} removed, ${data.kept.length} kept.`;
        await output.list(data, [...data.removed, ...data.kept], COLUMNS, { text: title });
      }),
    );
}
