import { Option } from '@commander-js/extra-typings';
import { DEFAULT_PAGE_SIZE, MAX_COMMAND_ROWS, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { answered } from '../api.ts';
import type { Occurrence } from '../api-types.ts';
import { examples, type Program, toId, wholeNumber } from '../options.ts';
import { readPages } from '../pages.ts';
import type { Run } from '../session.ts';
import type { Column } from '../table.ts';
import { counted, when } from '../text.ts';

const STATES = ['Pending', 'Started', 'Skipped', 'Missed'] as const;
const COLUMNS: readonly Column<Occurrence>[] = [
  { title: 'CLUSTER', of: ({ clusterId }) => clusterId },
  { title: 'RULE', of: ({ rule }) => rule },
  { title: 'OPENED', of: ({ opensAt }) => when(opensAt) },
  {
    title: 'BECAME',
    of: ({ state }) => state,
    style: ({ state }) => (state === 'Missed' || state === 'Skipped' ? 'red' : undefined),
  },
  { title: 'BACKUP', of: ({ backupId }) => backupId ?? '-' },
  { title: 'WHY', of: ({ code }) => code ?? '-' },
  { title: 'CLOSED', of: ({ closesAt }) => when(closesAt), wide: true },
  { title: 'IN WORDS', of: ({ reason }) => reason ?? '-', wide: true },
];

export function add(program: Program, run: Run): void {
  program
    .command('occurrences')
    .summary('what became of each backup window')
    .description(
      'Shows what became of each backup window, the newest first: whether it started a backup, or was skipped or missed, and why.',
    )
    .argument('[cluster]', 'only of this cluster', toId)
    .addOption(new Option('--state <state>', 'only those that became this').choices(STATES))
    .option('--rule <rule>', 'only of this rule', toId)
    .option('--limit <count>', `how many (${DEFAULT_PAGE_SIZE * 5})`, wholeNumber(1, MAX_COMMAND_ROWS))
    .addHelpText('after', examples('occurrences', 'occurrences orders --state Missed -o wide'))
    .action((clusterId, { state, rule, limit = DEFAULT_PAGE_SIZE * 5 }) =>
      run(async ({ api, output, tell }) => {
        const { answer, items, pageToken } = await readPages(limit, MAX_PAGE_SIZE, async (pageSize, token) => {
          const query = {
            pageSize,
            withoutTotal: true,
            ...(token !== undefined && { pageToken: token }),
            ...(clusterId !== undefined && { clusterId }),
            ...(state && { state }),
            ...(rule !== undefined && { rule }),
          };
          const { data, page } = await answered(api.GET('/occurrences', { params: { query } }));
          return { answer: data, items: data.occurrences, pageToken: page.pageToken };
        });
        await output.list({ ...answer, occurrences: items }, items, COLUMNS);
        if (pageToken !== undefined)
          tell(`There are more than ${counted(items.length, 'window')}: --limit says how many are listed.`);
      }),
    );
}
