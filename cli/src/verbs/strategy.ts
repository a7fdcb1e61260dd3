import { randomUUID } from 'node:crypto';
import { answered } from '../api.ts';
import type { Strategy, StrategyPreview } from '../api-types.ts';
import { confirmByName } from '../confirm.ts';
import { examples, type Program, toId, wholeNumber } from '../options.ts';
import type { Run, Session } from '../session.ts';
import { SETTINGS, type SettingsOptions, settingsOf } from '../strategy-options.ts';
import { STRATEGY_COLUMNS, strategyFields } from '../strategy-record.ts';
import type { Column } from '../table.ts';
import { counted, duration, when } from '../text.ts';
import { withOptions } from '../with-options.ts';

const RULE = ['--rule <rule>', 'the rule (default)', toId, 'default'] as const;

const STARTS: readonly Column<StrategyPreview['starts'][number]>[] = [
  { title: 'STARTS', of: ({ startAt }) => when(startAt) },
  { title: 'WINDOW OPENS', of: ({ localOpensAt }) => localOpensAt },
  { title: 'CLOSES', of: ({ localClosesAt }) => localClosesAt },
  { title: 'NOTES', of: ({ notes }) => notes?.join('; ') ?? '-' },
];

export function add(program: Program, run: Run): void {
  const group = program
    .command('strategy')
    .summary('when a cluster is backed up, and how long its backups are kept')
    .description(
      'The rules of a cluster: when it is backed up by itself, and how long its backups are kept (docs/strategies.md).',
    );

  group
    .command('list')
    .description('Lists the rules of a cluster.')
    .argument('<cluster>', 'the cluster', toId)
    .addHelpText('after', examples('strategy list orders'))
    .action((clusterId) =>
      run(async ({ api, output }) => {
        const { data } = await answered(
          api.GET('/clusters/{clusterId}/strategies', { params: { path: { clusterId } } }),
        );
        await output.list(data, data.strategies, STRATEGY_COLUMNS);
      }),
    );

  group
    .command('get')
    .description('Shows a rule of a cluster.')
    .argument('<cluster>', 'the cluster', toId)
    .option(...RULE)
    .addHelpText('after', examples('strategy get orders', 'strategy get orders --rule nightly -o yaml'))
    .action((clusterId, { rule }) =>
      run(async ({ api, output }) => {
        const { data } = await answered(
          api.GET('/clusters/{clusterId}/strategies/{rule}', { params: { path: { clusterId, rule } } }),
        );
        await output.record(data, strategyFields(data.strategy));
      }),
    );

  withOptions<SettingsOptions>(SETTINGS)(
    group
      .command('set')
      .description('Saves a rule of a cluster, new or old; what is left out stays as it is.')
      .argument('<cluster>', 'the cluster', toId)
      .option(...RULE),
  )
    .addHelpText(
      'after',
      examples(
        'strategy set orders --days Monday,Friday --window 23:00-2:00 --keep-last 7 --weekly 4',
        'strategy set orders --rule nightly --days "" --keep-everything',
      ),
    )
    .action((clusterId, { rule, ...options }) =>
      run(async (session) => {
        const body = { strategy: settingsOf(options) };
        const path = { clusterId, rule };
        const { data } = await answered(
          session.api.PUT('/clusters/{clusterId}/strategies/{rule}', { params: { path }, body }),
        );
        await saved(data, session);
      }),
    );

  withOptions<SettingsOptions>(SETTINGS)(
    group
      .command('preview')
      .description('Shows the next starts of a rule: as it is stored, or as if it were changed.')
      .argument('<cluster>', 'the cluster', toId)
      .option(...RULE)
      .option('--count <starts>', 'how many (10)', wholeNumber(1)),
  )
    .addHelpText(
      'after',
      examples(
        'strategy preview orders',
        'strategy preview orders --days Sunday --window 1:00-3:00 --time-zone Europe/Berlin --count 5',
      ),
    )
    .action((clusterId, { rule, count, ...options }) =>
      run(async ({ api, output, tell }) => {
        const settings = settingsOf(options);
        const isProposal = Object.keys(settings).length > 0;
        const body = { ...(isProposal && { strategy: settings }), ...(count !== undefined && { count }) };
        const path = { clusterId, rule };
        // A rule that is not there yet can be proposed for the cluster.
        const { data } = await answered(
          isProposal && rule === 'default'
            ? api.POST('/clusters/{clusterId}/strategy/preview', { params: { path }, body })
            : api.POST('/clusters/{clusterId}/strategies/{rule}/preview', { params: { path }, body }),
        );
        await output.list(data, data.starts, STARTS);
        if (!output.isTable) return;
        for (const warning of data.warnings) tell(warning, 'yellow');
        const { backups, tooLong, longestSeconds } = data.past;
        if (backups > 0)
          tell(
            `Of the last ${counted(backups, 'good backup')} ${tooLong} would not have ended before the window closed; the longest took ${duration(longestSeconds)}.`,
          );
      }),
    );

  for (const [verb, about, done] of [
    ['pause', 'Pauses a rule: it starts nothing until it is resumed.', 'is paused'],
    ['resume', 'Resumes a rule; a window that is open already starts nothing.', 'goes on'],
  ] as const)
    group
      .command(verb)
      .description(about)
      .argument('<cluster>', 'the cluster', toId)
      .option(...RULE)
      .addHelpText('after', examples(`strategy ${verb} orders`))
      .action((clusterId, { rule }) =>
        run(async ({ api, output, tell }) => {
          const params = { path: { clusterId, rule } };
          const { data } = await answered(
            verb === 'pause'
              ? api.POST('/clusters/{clusterId}/strategies/{rule}/pause', { params })
              : api.POST('/clusters/{clusterId}/strategies/{rule}/resume', { params }),
          );
          await output.record(data, []);
          if (output.isTable) tell(`The rule ${rule} of ${clusterId} ${done}.`);
        }),
      );

  group
    .command('run')
    .description('Starts a backup now, as a rule would, and prints its id ("backup start --rule" also waits for it).')
    .argument('<cluster>', 'the cluster', toId)
    .option(...RULE)
    .addHelpText('after', examples('strategy run orders --rule nightly'))
    .action((clusterId, { rule }) =>
      run(async ({ api, output, tell, command }) => {
        const params = { header: { 'Idempotency-Key': randomUUID() }, path: { clusterId, rule } };
        const { data } = await answered(api.POST('/clusters/{clusterId}/strategies/{rule}/run', { params }));
        await output.word(data, data.backupId);
        if (output.isTable) tell(`Accepted. To follow it: ${command} backup watch ${data.backupId}`);
      }),
    );

  group
    .command('delete')
    .description('Deletes a rule of a cluster; the backups that it started stay.')
    .argument('<cluster>', 'the cluster', toId)
    .option(...RULE)
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('strategy delete orders --rule nightly --yes'))
    .action((clusterId, { rule, yes }) =>
      run(async (session) => {
        const { api, output, tell } = session;
        await confirmByName(clusterId, `This deletes the rule ${rule} of the cluster ${clusterId}.`, yes, session);
        const params = { path: { clusterId, rule } };
        const { data } = await answered(api.DELETE('/clusters/{clusterId}/strategies/{rule}', { params }));
        await output.record(data, []);
        if (output.isTable) tell(`The rule ${rule} of ${clusterId} is deleted.`);
      }),
    );
}

async function saved(
  data: { readonly strategy: Strategy; readonly warnings?: string[] },
  { output, tell }: Session,
): Promise<void> {
  await output.record(data, strategyFields(data.strategy));
  if (output.isTable) for (const warning of data.warnings ?? []) tell(warning, 'yellow');
}
