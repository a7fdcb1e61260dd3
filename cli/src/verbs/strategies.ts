import { answered } from '../api.ts';
import { confirmByName } from '../confirm.ts';
import { examples, labelsOf, type Program, toId, toLabel, wholeNumber } from '../options.ts';
import type { Run } from '../session.ts';
import { SETTINGS, type SettingsOptions, settingsOf } from '../strategy-options.ts';
import { FLEET_STRATEGY_COLUMNS, fleetStrategyFields } from '../strategy-record.ts';
import { withOptions } from '../with-options.ts';

export function add(program: Program, run: Run): void {
  const group = program
    .command('strategies')
    .summary('strategies for all clusters with certain labels')
    .description('Strategies for labels: every cluster that has the labels gets them as a rule (docs/strategies.md).');

  group
    .command('list')
    .description('Lists the strategies for labels.')
    .addHelpText('after', examples('strategies list'))
    .action(() =>
      run(async ({ api, output }) => {
        const { data } = await answered(api.GET('/strategies'));
        await output.list(data, data.strategies, FLEET_STRATEGY_COLUMNS);
      }),
    );

  group
    .command('get')
    .description('Shows a strategy for labels.')
    .argument('<name>', 'its name', toId)
    .addHelpText('after', examples('strategies get prod-nightly'))
    .action((name) =>
      run(async ({ api, output }) => {
        const { data } = await answered(api.GET('/strategies/{name}', { params: { path: { name } } }));
        await output.record(data, fleetStrategyFields(data.strategy));
      }),
    );

  withOptions<SettingsOptions>(SETTINGS)(
    group
      .command('set')
      .description('Saves a strategy for labels, new or old; what is left out stays as it is.')
      .argument('<name>', 'its name', toId)
      .option('--label <name=value>', 'of the clusters; may be given again, and then they must have all', toLabel)
      .option(
        '--priority <number>',
        'of several for one cluster and rule the highest wins',
        wholeNumber(Number.MIN_SAFE_INTEGER),
      )
      .option('--rule <rule>', 'the rule that the clusters get', toId),
  )
    .addHelpText(
      'after',
      examples('strategies set prod-nightly --label env=prod --days Monday,Friday --window 23:00-2:00 --keep-last 7'),
    )
    .action((name, { label, priority, rule, ...options }) =>
      run(async ({ api, output, tell }) => {
        const strategy = {
          ...settingsOf(options),
          ...(label && { selector: labelsOf(label) }),
          ...(priority !== undefined && { priority }),
          ...(rule !== undefined && { rule }),
        };
        const { data } = await answered(
          api.PUT('/strategies/{name}', { params: { path: { name } }, body: { strategy } }),
        );
        await output.record(data, fleetStrategyFields(data.strategy));
        if (output.isTable) for (const warning of data.warnings ?? []) tell(warning, 'yellow');
      }),
    );

  group
    .command('delete')
    .description('Deletes a strategy for labels; its clusters lose the rule that came from it.')
    .argument('<name>', 'its name', toId)
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('strategies delete prod-nightly'))
    .action((name, { yes }) =>
      run(async (session) => {
        const { api, output, tell } = session;
        const { strategy } = (await answered(api.GET('/strategies/{name}', { params: { path: { name } } }))).data;
        await confirmByName(
          name,
          `This deletes the strategy ${name}, from which ${strategy.clusters} clusters have a rule.`,
          yes,
          session,
        );
        const { data } = await answered(api.DELETE('/strategies/{name}', { params: { path: { name } } }));
        await output.record(data, []);
        if (output.isTable) tell(`The strategy ${name} is deleted.`);
      }),
    );
}
