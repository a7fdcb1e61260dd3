import { MAX_COMMAND_ROWS, MAX_WORKERS_PAGE } from '@tidemark/limits/limits';
import { answered } from '../api.ts';
import type { Worker } from '../api-types.ts';
import { examples, type Program } from '../options.ts';
import { readPages } from '../pages.ts';
import type { Run } from '../session.ts';
import type { Column } from '../table.ts';
import { counted, when } from '../text.ts';

const COLUMNS: readonly Column<Worker>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'POOL', of: ({ pool }) => pool },
  { title: 'STATE', of: ({ state }) => state, style: ({ state }) => (state === 'Present' ? undefined : 'yellow') },
  { title: 'FREE', of: ({ slots, freeSlots }) => `${freeSlots} of ${slots}` },
  { title: 'BR', of: ({ brVersions }) => brVersions.join(', ') },
  { title: 'DOES', of: tasksOf },
  { title: 'OUT OF REACH', of: outOfReachOf, style: (worker) => (outOfReachOf(worker) === '-' ? undefined : 'red') },
  { title: 'LAST SEEN', of: ({ lastSeenTime }) => when(lastSeenTime) },
  { title: 'HOST', of: ({ host }) => host, wide: true },
  { title: 'SINCE', of: ({ firstSeenTime }) => when(firstSeenTime), wide: true },
  {
    title: 'WHY OUT OF REACH',
    of: ({ outOfReach }) => outOfReach.map(({ message }) => message).join('; ') || '-',
    wide: true,
  },
];

function tasksOf({ tasks, otherTasks }: Worker): string {
  const own = tasks.map(({ kind, id, clusterId }) => `${kind} ${clusterId ?? id}`);
  return [...own, ...(otherTasks > 0 ? [counted(otherTasks, 'other task')] : [])].join(', ') || '-';
}

function outOfReachOf({ outOfReach, otherOutOfReach }: Worker): string {
  const own = outOfReach.map(({ storageId }) => storageId);
  return [...own, ...(otherOutOfReach > 0 ? [counted(otherOutOfReach, 'storage')] : [])].join(', ') || '-';
}

export function add(program: Program, run: Run): void {
  const group = program
    .command('worker')
    .summary('which workers are there, and what they do')
    .description('The workers, which run br.');
  group
    .command('list')
    .description(
      'Lists the workers that reported themselves in the last ten minutes, what each does and what it cannot reach.',
    )
    .option('--pool <pool>', 'only of this pool')
    .addHelpText('after', examples('worker list', 'worker list --pool east -o wide'))
    .action(({ pool }) =>
      run(async ({ api, output }) => {
        const { answer, items } = await readPages(MAX_COMMAND_ROWS, MAX_WORKERS_PAGE, async (pageSize, token) => {
          const query = {
            pageSize,
            ...(token !== undefined && { pageToken: token }),
            ...(pool !== undefined && { pool }),
          };
          const { data } = await answered(api.GET('/workers', { params: { query } }));
          return { answer: data, items: data.workers, pageToken: data.pageToken };
        });
        await output.list({ workers: items, total: answer.total }, items, COLUMNS);
      }),
    );
}
