import { randomUUID } from 'node:crypto';
import { Option } from '@commander-js/extra-typings';
import { DEFAULT_PAGE_SIZE, MAX_COMMAND_ROWS, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { answered } from '../api.ts';
import type { Drill, DrillProof, DrillRun } from '../api-types.ts';
import { confirmByName } from '../confirm.ts';
import { UsageError } from '../exit.ts';
import { examples, type Program, toId, wholeNumber } from '../options.ts';
import { readPages } from '../pages.ts';
import type { Run } from '../session.ts';
import type { Column, Field } from '../table.ts';
import { counted, duration, when } from '../text.ts';

const ABOUT = `A drill restores a good backup of a cluster into a scratch cluster in its windows, to prove that it can be done and how long
it takes. Each run overwrites the scratch cluster (docs/drills.md).`;

const STATES = ['Pending', 'Running', 'Succeeded', 'Failed', 'Skipped', 'Missed'] as const;
const CHOICES = ['newest', 'random', 'pointInTime'] as const;
const CHOOSES: Readonly<Record<string, string>> = {
  newest: 'the newest good backup',
  random: 'a random good backup',
  pointInTime: 'a random moment of the log',
};

const BAD: ReadonlySet<string> = new Set(['Failed', 'Skipped', 'Missed']);
const COLUMNS: readonly Column<DrillRun>[] = [
  { title: 'OPENED', of: ({ opensAt }) => when(opensAt) },
  {
    title: 'BECAME',
    of: ({ state }) => state,
    style: ({ state }) => (BAD.has(state) ? 'red' : state === 'Succeeded' ? 'green' : undefined),
  },
  { title: 'TOOK', of: ({ seconds }) => (seconds > 0 ? duration(seconds) : '-') },
  { title: 'BACKUP', of: ({ backupId }) => backupId ?? '-' },
  { title: 'MOMENT', of: ({ pointTime, backupTime }) => when(pointTime ?? backupTime), wide: true },
  { title: 'RESTORE', of: ({ restoreId }) => restoreId ?? '-' },
  { title: 'WHY', of: ({ code }) => code ?? '-' },
  { title: 'TARGET', of: ({ targetClusterId }) => targetClusterId, wide: true },
  { title: 'IN WORDS', of: ({ reason }) => reason ?? '-', wide: true },
];

const drillFields = (drill: Drill): Field[] => [
  ['cluster', drill.clusterId],
  ['restores into', drill.targetClusterId],
  ['chooses', CHOOSES[drill.choose] ?? drill.choose],
  ['days', drill.backupDate === '' ? 'only when somebody asks' : drill.backupDate],
  ['window', `${drill.period} ${drill.timeZone}`],
  ['next', drill.paused ? 'paused' : when(drill.nextTime), drill.paused ? 'yellow' : undefined],
  ['emptied by', drill.emptyHook ? (drill.emptyHook.url ?? 'a hook whose address is a secret') : 'people'],
  ['saved', `${when(drill.updateTime)}, by ${drill.updatedBy}`],
];

function runText({ state, opensAt, reason }: DrillRun): string {
  return `${state}, of ${when(opensAt)}${reason === undefined ? '' : `: ${reason}`}`;
}

function proofText(proof: DrillProof | undefined): string {
  if (!proof) return 'never';
  const moment = proof.pointTime === undefined ? '' : `, to ${when(proof.pointTime)}`;
  return `${when(proof.time)}, in ${duration(proof.seconds)}, by restore ${proof.restoreId} of backup ${proof.backupId}${moment}`;
}

/** Where the secrets of a hook are, beside scheduler-service. */
function secretsOf({
  hookSecrets,
  hookSecretsFile,
}: {
  readonly hookSecrets?: string;
  readonly hookSecretsFile?: string;
}) {
  if (hookSecretsFile !== undefined) return { file: hookSecretsFile };
  return hookSecrets === undefined ? undefined : { envPrefix: hookSecrets };
}

export function add(program: Program, run: Run): void {
  const group = program.command('drill').summary('restore backups from time to time, to prove it').description(ABOUT);
  const path = (clusterId: string) => ({ params: { path: { clusterId } } });

  group
    .command('set')
    .description('Saves the drill of a cluster; what is left out is as by default, but for the hook, which stays.')
    .argument('<cluster>', 'the cluster', toId)
    .requiredOption('--into <cluster>', 'the scratch cluster, which each run overwrites', toId)
    .option('--days <days>', 'weekdays, such as Sunday; left out: only when somebody asks')
    .option('--window <hours>', 'in which a run begins, such as 2:00-6:00 (the whole day)')
    .option('--time-zone <zone>', 'IANA name, such as Europe/Berlin (that of the cluster)')
    .addOption(
      new Option(
        '--choose <which>',
        'what is restored: the newest or a random good backup, or a random moment of the log (newest)',
      ).choices(CHOICES),
    )
    .option('--paused', 'no windows come')
    .addOption(
      new Option(
        '--hook-secrets <prefix>',
        "a hook empties the target: scheduler-service's variables of its secrets",
      ).conflicts(['hookSecretsFile', 'withoutHook']),
    )
    .addOption(
      new Option(
        '--hook-secrets-file <file>',
        'the same, with its secrets in a file beside scheduler-service',
      ).conflicts('withoutHook'),
    )
    .option('--hook-url <url>', 'its address, where that is no secret')
    .option('--without-hook', 'people empty the target')
    .addHelpText(
      'after',
      examples(
        'drill set orders --into orders-drill --days Sunday --window 2:00-6:00 --choose random --hook-secrets DRILL_ --hook-url https://hooks.example.com/empty',
        'drill set orders --into orders-drill',
        'drill set orders --into orders-drill --days Sunday --choose pointInTime --hook-secrets DRILL_',
      ),
    )
    .action((clusterId, { into, days, window, timeZone, choose, paused, hookUrl, withoutHook, ...named }) =>
      run(async ({ api, output }) => {
        const secrets = secretsOf(named);
        if (hookUrl !== undefined && !secrets)
          throw new UsageError(
            'A hook has secrets, by which it is signed: --hook-secrets names their prefix, or --hook-secrets-file their file.',
          );
        const hook = secrets && { emptyHook: { ...(hookUrl !== undefined && { url: hookUrl }), secrets } };
        const body = {
          targetClusterId: into,
          ...(days !== undefined && { backupDate: days }),
          ...(window !== undefined && { period: window }),
          ...(timeZone !== undefined && { timeZone }),
          ...(choose && { choose }),
          ...(paused && { paused }),
          ...(withoutHook ? { emptyHook: null } : hook),
        };
        const { data } = await answered(api.PUT('/clusters/{clusterId}/drill', { ...path(clusterId), body }));
        await output.record(data, drillFields(data.drill));
      }),
    );

  group
    .command('get')
    .description('Shows the drill of a cluster. Exit code 1 where its latest run did not prove the cluster.')
    .argument('<cluster>', 'the cluster', toId)
    .addHelpText('after', examples('drill get orders'))
    .action((clusterId) =>
      run(async ({ api, output }) => {
        const { data } = await answered(api.GET('/clusters/{clusterId}/drill', path(clusterId)));
        const { drill, latest, proof } = data;
        const isBad = latest !== undefined && BAD.has(latest.state);
        await output.record(data, [
          ...drillFields(drill),
          ['latest run', latest ? runText(latest) : 'none', isBad ? 'red' : undefined],
          ['last proven', proofText(proof), proof ? 'green' : 'yellow'],
        ]);
        return isBad ? 1 : 0;
      }),
    );

  group
    .command('remove')
    .description('Removes the drill of a cluster. A restore that it began goes on.')
    .argument('<cluster>', 'the cluster', toId)
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('drill remove orders'))
    .action((clusterId, { yes }) =>
      run(async (session) => {
        await confirmByName(clusterId, `This removes the drill of ${clusterId}.`, yes, session);
        const { data } = await answered(session.api.DELETE('/clusters/{clusterId}/drill', path(clusterId)));
        await session.output.record(data, [['removed', `the drill of ${clusterId}`]]);
      }),
    );

  group
    .command('run')
    .description('Asks for a run of the drill now, also where it is paused.')
    .argument('<cluster>', 'the cluster', toId)
    .addHelpText('after', examples('drill run orders'))
    .action((clusterId) =>
      run(async ({ api, output, tell, command }) => {
        const request = { params: { path: { clusterId }, header: { 'Idempotency-Key': randomUUID() } } };
        const { data } = await answered(api.POST('/clusters/{clusterId}/drill/run', request));
        await output.record(data, [
          ['run', data.run.id],
          ['restores into', data.run.targetClusterId],
          ['begins until', when(data.run.closesAt)],
        ]);
        if (output.isTable) tell(`How it goes, "${command} drill history ${clusterId}" says.`);
      }),
    );

  group
    .command('history')
    .description('Shows what became of each window of a drill, the newest first.')
    .argument('<cluster>', 'the cluster', toId)
    .addOption(new Option('--state <state>', 'only those that became this').choices(STATES))
    .option('--limit <count>', `how many (${DEFAULT_PAGE_SIZE})`, wholeNumber(1, MAX_COMMAND_ROWS))
    .addHelpText('after', examples('drill history orders', 'drill history orders --state Failed -o wide'))
    .action((clusterId, { state, limit = DEFAULT_PAGE_SIZE }) =>
      run(async ({ api, output, tell }) => {
        const { answer, items, pageToken } = await readPages(limit, MAX_PAGE_SIZE, async (pageSize, token) => {
          const query = {
            pageSize,
            ...(token !== undefined && { pageToken: token }),
            ...(state && { state: [state] }),
          };
          const request = { params: { path: { clusterId }, query } };
          const { data } = await answered(api.GET('/clusters/{clusterId}/drill/runs', request));
          return { answer: data, items: data.runs, pageToken: data.pageToken };
        });
        await output.list({ ...answer, runs: items }, items, COLUMNS);
        if (pageToken !== undefined)
          tell(`There are more than ${counted(items.length, 'run')}: --limit says how many are listed.`);
      }),
    );
}
