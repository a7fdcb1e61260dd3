import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { DEFAULT_PAGE_SIZE, MAX_COMMAND_ROWS, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { answered } from '../api.ts';
import type { AuditEntry } from '../api-types.ts';
import { readDate } from '../date.ts';
import { examples, type Program, toId, wholeNumber } from '../options.ts';
import { readPages } from '../pages.ts';
import type { Run } from '../session.ts';
import type { Column } from '../table.ts';
import { counted, when } from '../text.ts';

const OUTCOMES = ['ok', 'refused', 'failed'] as const;
const COLUMNS: readonly Column<AuditEntry>[] = [
  { title: 'TIME', of: ({ time }) => when(time) },
  { title: 'WHO', of: ({ caller }) => caller },
  { title: 'WHAT', of: ({ what }) => what },
  { title: 'CLUSTER', of: ({ clusterId }) => clusterId ?? '-' },
  { title: 'ON', of: objectOf },
  {
    title: 'ENDED',
    of: ({ outcome, code }) => (code === undefined ? outcome : `${outcome}: ${code}`),
    style: ({ outcome }) => (outcome === 'ok' ? undefined : outcome === 'refused' ? 'yellow' : 'red'),
  },
  { title: 'FROM', of: ({ from }) => from, wide: true },
  { title: 'REQUEST', of: ({ requestId }) => requestId, wide: true },
];

function objectOf({ backupId, restoreId, storageId, rule, fleetStrategy, token, receiver }: AuditEntry): string {
  const of = { backup: backupId, restore: restoreId, storage: storageId };
  const named = { ...of, rule, strategy: fleetStrategy, token, receiver };
  const told = Object.entries(named).flatMap(([kind, id]) => (id === undefined ? [] : [`${kind} ${id}`]));
  return told.join(', ') || '-';
}

const MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

/** A time, or how long ago it was, as the API takes it. @throws InvalidArgumentError */
function toInstant(text: string): string {
  const [, count, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  const time =
    count === undefined ? readDate(text) : Date.now() - Number(count) * (MS[unit as keyof typeof MS] ?? Number.NaN);
  if (Number.isNaN(time) || time < 0)
    throw new InvalidArgumentError('It must be like 30m, 12h, 7d, 4w, 2026-01-31 or 2026-01-31T18:00:00Z.');
  return new Date(time).toISOString();
}

export function add(program: Program, run: Run): void {
  program
    .command('audit')
    .summary('who changed what')
    .description(
      'Shows who asked for which change and how that ended, the newest first, also what was refused; for admins (docs/access.md).',
    )
    .option('--since <time>', 'only since then: 30m, 12h, 7d, 4w ago, or a date such as 2026-01-31', toInstant)
    .option('--until <time>', 'only before then', toInstant)
    .option('--caller <token>', 'only what this token asked for: its name or its id')
    .option('--cluster <id>', 'only what was about this cluster', toId)
    .option('--what <change>', 'only this change, such as "delete backup"')
    .addOption(new Option('--outcome <outcome>', 'only what ended so').choices(OUTCOMES))
    .option('--limit <count>', `how many (${DEFAULT_PAGE_SIZE * 5})`, wholeNumber(1, MAX_COMMAND_ROWS))
    .addHelpText(
      'after',
      examples('audit --since 24h', 'audit --cluster orders --what "delete backup" -o wide', 'audit --outcome refused'),
    )
    .action(({ since, until, caller, cluster, what, outcome, limit = DEFAULT_PAGE_SIZE * 5 }) =>
      run(async ({ api, output, tell }) => {
        const { items, pageToken } = await readPages(limit, MAX_PAGE_SIZE, async (pageSize, token) => {
          const query = {
            pageSize,
            ...(token !== undefined && { pageToken: token }),
            ...(since !== undefined && { from: since }),
            ...(until !== undefined && { to: until }),
            ...(caller !== undefined && { caller }),
            ...(cluster !== undefined && { clusterId: cluster }),
            ...(what !== undefined && { what }),
            ...(outcome && { outcome }),
          };
          const { data } = await answered(api.GET('/audit', { params: { query } }));
          return { answer: data, items: data.entries, pageToken: data.pageToken };
        });
        await output.list({ entries: items, ...(pageToken !== undefined && { pageToken }) }, items, COLUMNS);
        if (pageToken !== undefined && output.isTable)
          tell(`There are more than ${counted(items.length, 'entry', 'entries')}: --limit says how many are listed.`);
      }),
    );
}
