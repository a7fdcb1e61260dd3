import { MAX_LOG_RETENTION_DAYS } from '@tidemark/limits/limits';
import { ApiError, answered } from '../api.ts';
import type { LogBackup } from '../api-types.ts';
import { confirmByName } from '../confirm.ts';
import { CommandError } from '../exit.ts';
import { toMoment } from '../moment.ts';
import { examples, type Program, toId, toSeconds, wholeNumber } from '../options.ts';
import type { Run, Session } from '../session.ts';
import type { Field } from '../table.ts';
import type { Style } from '../terminal.ts';
import { counted, duration, isSet, when } from '../text.ts';

const ABOUT = `A log backup writes all that changes in a cluster to its storage, so that the cluster can be brought back to any second
(recovery-points says to which). What is wanted is written down, and the cluster is brought there by itself.`;

function stateStyle({ healthy, wanted }: LogBackup): Style | undefined {
  if (healthy) return 'green';
  return wanted === 'off' ? undefined : 'yellow';
}

const fieldsOf = (log: LogBackup): Field[] => [
  ['cluster', log.clusterId],
  [
    'wanted',
    log.wanted === 'off' && !isSet(log.wantedTime)
      ? 'off'
      : `${log.wanted}, by ${log.wantedBy} ${when(log.wantedTime)}`,
  ],
  ['state', `${log.state}${log.reached ? '' : ', not yet as wanted'}`, stateStyle(log)],
  ...log.alarms.map(({ message, critical }): Field => ['alarm', message, critical ? 'red' : 'yellow']),
  ['storage', log.storageId],
  ['complete to', isSet(log.checkpointTime) ? `${when(log.checkpointTime)}, ${duration(log.lagSeconds)} ago` : ''],
  ['keeps', log.retentionDays > 0 ? `every second of the last ${counted(log.retentionDays, 'day')}` : ''],
  [
    'tells of',
    log.lagWarnSeconds > 0
      ? `a lag of ${duration(log.lagWarnSeconds)}; critical from ${duration(log.lagCriticalSeconds)}`
      : '',
  ],
  ['resume until', isSet(log.resumeUntil) ? when(log.resumeUntil) : ''],
  ['errors', log.errors.map(({ store, message }) => `store ${store}: ${message}`).join('\n'), 'red'],
  ['logs', log.generations.map(generationText).join('\n')],
  ['left behind', log.cleanup.map(({ message }) => message).join('\n')],
  ['now', log.activity],
];

function generationText({
  number,
  taskName,
  minTime,
  maxTime,
  open,
  endedWhy,
  truncating,
  keepReasons,
}: LogBackup['generations'][number]): string {
  const reach = isSet(minTime) ? `${when(minTime)} to ${when(maxTime)}` : 'nothing yet';
  const lines = [`${number}: ${reach}, ${open ? `written by ${taskName}` : endedWhy}`];
  if (truncating) {
    const what = isSet(truncating.until) ? `all before ${when(truncating.until)}` : 'the whole of it';
    lines.push(`   ${what} goes, since ${when(truncating.since)}. ${truncating.activity}`);
  }
  if (keepReasons.length > 0 && !open) lines.push(`   kept: ${keepReasons.join(', ')}`);
  return lines.join('\n');
}

export function add(program: Program, run: Run): void {
  const group = program.command('log-backup').summary('write the log of a cluster all the time').description(ABOUT);
  const path = (clusterId: string) => ({ params: { path: { clusterId } } });
  const show = async ({ output }: Session, data: { readonly logBackup: LogBackup }): Promise<void> =>
    output.record(data, fieldsOf(data.logBackup));

  group
    .command('get')
    .description('Shows the log backup of a cluster. Exit code 1 where it is wanted, and not healthy.')
    .argument('<cluster>', 'the cluster', toId)
    .addHelpText('after', examples('log-backup get orders'))
    .action((clusterId) =>
      run(async (session) => {
        const { data } = await answered(session.api.GET('/clusters/{clusterId}/log-backup', path(clusterId)));
        await show(session, data);
        return data.logBackup.wanted === 'off' || data.logBackup.healthy ? 0 : 1;
      }),
    );

  group
    .command('start')
    .description('Wants a log backup of a cluster, or other settings of it; what is left out stays as it is.')
    .argument('<cluster>', 'the cluster', toId)
    .option('--storage <storage>', 'where the log is written', toId)
    .option(
      '--retention-days <days>',
      'for how long back every second is to stay restorable (7)',
      wholeNumber(1, MAX_LOG_RETENTION_DAYS),
    )
    .option('--lag-warn <time>', 'from which lag on it is told (10m)', toSeconds)
    .option('--lag-critical <time>', 'from which lag on that is critical (30m)', toSeconds)
    .addHelpText(
      'after',
      examples('log-backup start orders --storage s3-main', 'log-backup start orders --retention-days 14'),
    )
    .action((clusterId, { storage, retentionDays, lagWarn, lagCritical }) =>
      run(async (session) => {
        const { api, output, tell, command } = session;
        const { logBackup: before } = (await answered(api.GET('/clusters/{clusterId}/log-backup', path(clusterId))))
          .data;
        const storageId = storage ?? before.storageId;
        if (storageId === '') throw new CommandError('Say where the log is written: --storage names it.');
        const body = {
          storageId,
          retentionDays: retentionDays ?? before.retentionDays,
          lagWarnSeconds: lagWarn ?? before.lagWarnSeconds,
          lagCriticalSeconds: lagCritical ?? before.lagCriticalSeconds,
        };
        const { data } = await answered(api.PUT('/clusters/{clusterId}/log-backup', { ...path(clusterId), body }));
        await show(session, data);
        if (output.isTable) tell(`How it goes, "${command} log-backup get ${clusterId}" says.`);
      }),
    );

  for (const [verb, about] of [
    ['pause', 'Pauses it. The cluster keeps its history for a day; a longer pause ends the log.'],
    ['resume', 'Lets it go on, also after somebody paused or stopped it by hand, and after an error.'],
  ] as const)
    group
      .command(verb)
      .description(about)
      .argument('<cluster>', 'the cluster', toId)
      .option('--reason <text>', 'for the audit')
      .addHelpText('after', examples(`log-backup ${verb} orders --reason maintenance`))
      .action((clusterId, { reason }) =>
        run(async (session) => {
          const request = { ...path(clusterId), body: { ...(reason !== undefined && { reason }) } };
          const { data } = await answered(session.api.POST(`/clusters/{clusterId}/log-backup/${verb}`, request));
          await show(session, data);
        }),
      );

  group
    .command('truncate')
    .description(
      'Takes out of the logs what came before a moment, and logs that ended before it; without one, what no point of the kept days needs.',
    )
    .argument('<cluster>', 'the cluster', toId)
    .option('--before <moment>', 'such as "yesterday 10:15"', toMoment)
    .option('--acknowledge <hash>', 'it is known which points are lost, as a refusal told them')
    .option('--reason <text>', 'for the audit')
    .option('--yes', 'do not ask; acknowledges no loss of points')
    .addHelpText(
      'after',
      examples('log-backup truncate orders', 'log-backup truncate orders --before 2026-01-06T09:15:00+01:00'),
    )
    .action((clusterId, { before, acknowledge, reason, yes }) =>
      run(async (session) => {
        const { api, command } = session;
        if (before)
          await confirmByName(
            clusterId,
            `This removes all before ${before.toISOString()} from the logs of ${clusterId}.`,
            yes,
            session,
          );
        const body = {
          ...(before && { until: before.toISOString() }),
          ...(acknowledge !== undefined && { acknowledge }),
          ...(reason !== undefined && { reason }),
        };
        try {
          const request = { ...path(clusterId), body };
          const { data } = await answered(api.POST('/clusters/{clusterId}/log-backup/truncate', request));
          await show(session, data);
        } catch (error) {
          if (!(error instanceof ApiError) || error.acknowledge === undefined || !before) throw error;
          const again = `${command} log-backup truncate ${clusterId} --before ${before.toISOString()} --acknowledge ${error.acknowledge}`;
          throw new CommandError(`${error.message}\nNothing was done. If that is meant: ${again}`);
        }
      }),
    );

  group
    .command('stop')
    .description('Stops it. What was written stays, and can be restored from; what changes from now on cannot.')
    .argument('<cluster>', 'the cluster', toId)
    .option('--remove-files', 'remove all logs of the cluster, too')
    .option('--acknowledge <hash>', 'with --remove-files: it is known which points are lost, as a refusal told them')
    .option('--yes', 'do not ask; acknowledges no loss of points')
    .addHelpText('after', examples('log-backup stop orders', 'log-backup stop orders --remove-files'))
    .action((clusterId, { removeFiles, acknowledge, yes }) =>
      run(async (session) => {
        const { api, command } = session;
        const what = removeFiles
          ? `This stops the log backup of ${clusterId} and removes all its logs: it can be brought back to its full backups alone.`
          : `This stops the log backup of ${clusterId}: from now on it can be brought back to its full backups alone.`;
        await confirmByName(clusterId, what, yes, session);
        const query = removeFiles && { files: 'remove' as const, ...(acknowledge !== undefined && { acknowledge }) };
        const params = { path: { clusterId }, ...(query && { query }) };
        try {
          const { data } = await answered(api.DELETE('/clusters/{clusterId}/log-backup', { params }));
          await show(session, data);
        } catch (error) {
          if (!(error instanceof ApiError) || error.acknowledge === undefined) throw error;
          const again = `${command} log-backup stop ${clusterId} --remove-files --acknowledge ${error.acknowledge}`;
          throw new CommandError(`${error.message}\nNothing was done. If that is meant: ${again}`);
        }
      }),
    );
}
