import { randomUUID } from 'node:crypto';
import { Option } from '@commander-js/extra-typings';
import { DEFAULT_PAGE_SIZE, MAX_COMMAND_ROWS, MAX_PAGE_SIZE, MAX_RATE_LIMIT } from '@tidemark/limits/limits';
import { type Api, ApiError, answered, PLAIN_TEXT } from '../api.ts';
import type { Backup } from '../api-types.ts';
import {
  BACKUP_COLUMNS,
  backupFields,
  endOf,
  isActive,
  isVerified,
  standingOf,
  styleOf,
  verificationStanding,
} from '../backup-record.ts';
import { confirmByName } from '../confirm.ts';
import { CommandError, EXIT } from '../exit.ts';
import { type Followed, type FollowLimits, follow } from '../follow.ts';
import { examples, PATIENCE, type Program, TIMEOUT, toId, toSample, wholeNumber } from '../options.ts';
import { readPages } from '../pages.ts';
import { printLog } from '../print-log.ts';
import type { Run, Session } from '../session.ts';
import { counted } from '../text.ts';

const ORIGINS = ['schedule', 'request', 'log'] as const;
const STATES = ['Queued', 'Running', 'Canceling', 'Succeeded', 'Failed', 'Canceled'] as const;

export function add(program: Program, run: Run): void {
  const group = program
    .command('backup')
    .summary('start, follow, cancel, delete and verify backups')
    .description('Backups of clusters.');

  group
    .command('start')
    .description('Starts a backup of a cluster, and prints its id.')
    .argument('<cluster>', 'the cluster', toId)
    .option('--rule <rule>', 'as this rule of its strategy would: with its storage and options', toId)
    .option('--wait', 'wait for the end; the exit code says whether it succeeded')
    .option(...TIMEOUT)
    .option(...PATIENCE)
    .addHelpText(
      'after',
      examples('backup start orders', 'backup start orders --wait --timeout 4h', 'backup start orders --rule nightly'),
    )
    .action((clusterId, { rule, wait, timeout, patience }) =>
      run(async (session) => {
        const { api, output, tell } = session;
        const headers = { 'Idempotency-Key': randomUUID() };
        const { data } = await answered(
          rule === undefined
            ? api.POST('/backups', { params: { header: headers }, body: { clusterId } })
            : api.POST('/clusters/{clusterId}/strategies/{rule}/run', {
                params: { header: headers, path: { clusterId, rule } },
              }),
        );
        if (wait) {
          if (output.isTable) await output.word(data, data.backupId);
          return await waitFor(data.backupId, session, { timeout, patience });
        }
        await output.word(data, data.backupId);
        if (output.isTable) tell(`Accepted. To follow it: ${session.command} backup watch ${data.backupId}`);
        return EXIT.done;
      }),
    );

  group
    .command('list')
    .description('Lists backups, the newest first.')
    .option('--cluster <id>', 'only of this cluster', toId)
    .addOption(new Option('--state <state>', 'only in this state').choices(STATES))
    .option('--rule <rule>', 'only of this rule of a strategy', toId)
    .addOption(
      new Option('--origin <who>', 'only those that the schedule, somebody, or a log backup started').choices(ORIGINS),
    )
    .option('--damaged', 'only those that a verification found damaged')
    .option('--deleted', 'deleted ones too, also those in the bin')
    .option('--limit <count>', `how many (${DEFAULT_PAGE_SIZE * 5})`, wholeNumber(1, MAX_COMMAND_ROWS))
    .addHelpText(
      'after',
      examples(
        'backup list --cluster orders',
        'backup list --state Failed --limit 5 -o wide',
        'backup list --deleted -o jsonl',
      ),
    )
    .action(({ cluster, state, rule, origin, damaged, deleted, limit = DEFAULT_PAGE_SIZE * 5 }) =>
      run(async ({ api, output, tell }) => {
        const { answer, items, pageToken } = await readPages(limit, MAX_PAGE_SIZE, async (pageSize, token) => {
          const query = {
            pageSize,
            withoutTotal: true,
            ...(token !== undefined && { pageToken: token }),
            ...(cluster !== undefined && { clusterId: cluster }),
            ...(state && { state }),
            ...(rule !== undefined && { rule }),
            ...(origin && { origin }),
            ...(damaged && { damaged: true }),
            ...(deleted && { includeDeleted: true }),
          };
          const { data, page } = await answered(api.GET('/backups', { params: { query } }));
          return { answer: data, items: data.backupRecords, pageToken: page.pageToken };
        });
        await output.list({ ...answer, backupRecords: items }, items, BACKUP_COLUMNS);
        if (pageToken !== undefined)
          tell(`There are more than ${counted(items.length, 'backup')}: --limit says how many are listed.`);
      }),
    );

  group
    .command('get')
    .description('Shows a backup: how far it is, or how it ended and why.')
    .argument('<backup>', 'its id', toId)
    .addHelpText('after', examples('backup get h6IhUQh-Q32MDOfcVieYgA', 'backup get h6IhUQh-Q32MDOfcVieYgA -o json'))
    .action((backupId) =>
      run(async (session) => {
        await show(await get(session.api, backupId), session);
      }),
    );

  group
    .command('watch')
    .description('Follows a backup to its end; the exit code says whether it succeeded.')
    .argument('<backup>', 'its id', toId)
    .option(...TIMEOUT)
    .option(...PATIENCE)
    .addHelpText('after', examples('backup watch h6IhUQh-Q32MDOfcVieYgA'))
    .action((backupId, limits) => run((session) => waitFor(backupId, session, limits)));

  group
    .command('events')
    .description('Prints the record of a backup now and after each change, until it is over.')
    .argument('<backup>', 'its id', toId)
    .option(...TIMEOUT)
    .option(...PATIENCE)
    .addHelpText('after', examples('backup events h6IhUQh-Q32MDOfcVieYgA -o jsonl'))
    .action((backupId, limits) =>
      run(async (session) => {
        const { output } = session;
        const each = (backup: Backup) => {
          const { state, step, percent } = standingOf(backup);
          return output.item(
            backup,
            [state, step, percent === undefined ? '' : `${Math.floor(percent)} %`].filter(Boolean).join('  '),
          );
        };
        await follow({ ...followed(backupId, session), each }, session, limits);
      }),
    );

  group
    .command('logs')
    .alias('log')
    .description('Prints what br printed.')
    .argument('<backup>', 'its id', toId)
    .option('-f, --follow', 'go on until the backup is over')
    .option('--attempt <number>', 'only this attempt', wholeNumber(1, 1_000))
    .addHelpText('after', examples('backup logs h6IhUQh-Q32MDOfcVieYgA', 'backup logs h6IhUQh-Q32MDOfcVieYgA -f'))
    .action((backupId, { follow: goesOn, attempt }) =>
      run(async (session) => {
        const query = { ...(goesOn && { follow: true }), ...(attempt !== undefined && { attempt }) };
        const params = { path: { backupId }, query };
        const { stop: signal } = session;
        await printLog(
          answered(
            session.api.GET('/backups/{backupId}/log', {
              params,
              parseAs: 'stream',
              headers: { accept: PLAIN_TEXT },
              signal,
            }),
          ),
          session,
        );
      }),
    );

  group
    .command('cancel')
    .description('Cancels a backup that runs or waits.')
    .argument('<backup>', 'its id', toId)
    .option('--reason <text>', 'why, for the record')
    .option('--wait', 'wait until it is over')
    .option(...TIMEOUT)
    .option(...PATIENCE)
    .addHelpText('after', examples('backup cancel h6IhUQh-Q32MDOfcVieYgA --reason "wrong cluster"'))
    .action((backupId, { reason, wait, timeout, patience }) =>
      run(async (session) => {
        const { api, output, tell } = session;
        // The call names the cluster too, as the documented API does.
        const { clusterId } = (await get(api, backupId)).backup;
        const body = { backupId, clusterId, ...(reason !== undefined && { reason }) };
        const { data } = await answered(api.POST('/backups/cancel', { body }));
        if (wait) {
          const backup = await follow(followed(backupId, session), session, { timeout, patience });
          await output.record({ backup }, []);
          tell(endOf(backup));
          return backup.state === 'Canceled' ? EXIT.done : EXIT.failed;
        }
        await output.record(data, []);
        if (output.isTable)
          tell(`The backup ${backupId} is ${data.backup.state === 'Canceled' ? 'canceled' : 'being canceled'}.`);
        return EXIT.done;
      }),
    );

  group
    .command('delete')
    .description('Deletes a backup, record and files; where its storage has a bin, a good one goes there first.')
    .argument('<backup>', 'its id', toId)
    .option('--permanently', 'past the bin, or out of it: it cannot be undeleted')
    .option('--forget', 'give up the files, which may remain, and forget the record; for an admin')
    .option('--acknowledge <hash>', 'it is known which points of the log backup are lost, as a refusal told them')
    .option('--yes', 'do not ask; acknowledges no loss of points')
    .addHelpText(
      'after',
      examples('backup delete h6IhUQh-Q32MDOfcVieYgA', 'backup delete h6IhUQh-Q32MDOfcVieYgA --permanently --yes'),
    )
    .action((backupId, { permanently, forget, acknowledge, yes }) =>
      run(async (session) => {
        const { api, output, tell } = session;
        const { backup } = await get(api, backupId);
        const how = forget ? 'forgets' : permanently ? 'deletes for good' : 'deletes';
        await confirmByName(
          backup.clusterId,
          `This ${how} the backup ${backupId} of the cluster ${backup.clusterId}.`,
          yes,
          session,
        );
        const query = {
          ...(permanently && { permanently: true }),
          ...(forget && { forget: true }),
          ...(acknowledge !== undefined && { acknowledge }),
        };
        const params = { path: { backupId }, query };
        try {
          const { data } = await answered(api.DELETE('/backups/{backupId}', { params }));
          await output.record(data, []);
          if (output.isTable) tell(deletedAs(data.backup, session.command));
        } catch (error) {
          if (!(error instanceof ApiError) || error.acknowledge === undefined) throw error;
          const flags = [permanently && '--permanently', forget && '--forget', `--acknowledge ${error.acknowledge}`];
          const again = [session.command, 'backup delete', backupId, ...flags.filter(Boolean)].join(' ');
          throw new CommandError(`${error.message}\nNothing was done. If that is meant: ${again}`);
        }
      }),
    );

  group
    .command('undelete')
    .description('Takes a deleted backup out of the bin of its storage.')
    .argument('<backup>', 'its id', toId)
    .addHelpText('after', examples('backup undelete h6IhUQh-Q32MDOfcVieYgA'))
    .action((backupId) =>
      run(async (session) => {
        const call = session.api.POST('/backups/{backupId}/undelete', { params: { path: { backupId } } });
        const { data } = await answered(call);
        await session.output.record(data, []);
        if (session.output.isTable)
          session.tell(`The backup ${backupId} is back${data.backup.pinned ? ', and pinned' : ''}.`);
      }),
    );

  group
    .command('pin')
    .description('Keeps a good backup from being deleted.')
    .argument('<backup>', 'its id', toId)
    .addHelpText('after', examples('backup pin h6IhUQh-Q32MDOfcVieYgA'))
    .action((backupId) =>
      run(async ({ api, output, tell }) => {
        const { data } = await answered(api.PUT('/backups/{backupId}/pin', { params: { path: { backupId } } }));
        await output.record(data, []);
        if (output.isTable) tell(`The backup ${backupId} is pinned.`);
      }),
    );

  group
    .command('unpin')
    .description('Lets a backup be deleted again.')
    .argument('<backup>', 'its id', toId)
    .addHelpText('after', examples('backup unpin h6IhUQh-Q32MDOfcVieYgA'))
    .action((backupId) =>
      run(async ({ api, output, tell }) => {
        const { data } = await answered(api.DELETE('/backups/{backupId}/pin', { params: { path: { backupId } } }));
        await output.record(data, []);
        if (output.isTable) tell(`The backup ${backupId} is pinned no more.`);
      }),
    );

  group
    .command('verify')
    .description(
      'Has a worker verify a good backup in its storage; with --wait, exit code 1 where it is damaged or could not be verified.',
    )
    .argument('<backup>', 'its id', toId)
    .addOption(
      new Option('--level <level>', 'bytes reads every file (the default), meta the catalogue alone').choices([
        'bytes',
        'meta',
      ] as const),
    )
    .option('--sample <part>', 'reads only a random part of the data files: 0.1 is a tenth', toSample)
    .option('--rate-limit <MiB/s>', 'reads no faster than this', wholeNumber(1, MAX_RATE_LIMIT))
    .option('--wait', 'wait for what it finds')
    .option(...TIMEOUT)
    .option(...PATIENCE)
    .addHelpText(
      'after',
      examples(
        'backup verify h6IhUQh-Q32MDOfcVieYgA --wait',
        'backup verify h6IhUQh-Q32MDOfcVieYgA --sample 0.1 --rate-limit 100',
      ),
    )
    .action((backupId, { level, sample, rateLimit, wait, timeout, patience }) =>
      run(async (session) => {
        const { api, output, tell, command } = session;
        const body = {
          ...(level && { level }),
          ...(sample !== undefined && { sample }),
          ...(rateLimit !== undefined && { rateLimit }),
        };
        const { data } = await answered(
          api.POST('/backups/{backupId}/verify', { params: { path: { backupId } }, body }),
        );
        if (wait) return await waitForVerdict(backupId, session, { timeout, patience });
        await output.record(data, []);
        if (output.isTable) tell(`A worker verifies it. To see what it finds: ${command} backup get ${backupId}`);
        return EXIT.done;
      }),
    );

  group
    .command('cancel-verify')
    .description('Cancels the verification of a backup.')
    .argument('<backup>', 'its id', toId)
    .addHelpText('after', examples('backup cancel-verify h6IhUQh-Q32MDOfcVieYgA'))
    .action((backupId) =>
      run(async ({ api, output, tell }) => {
        const { data } = await answered(
          api.POST('/backups/{backupId}/verify/cancel', { params: { path: { backupId } } }),
        );
        await output.record(data, []);
        if (output.isTable) tell(`The verification of ${backupId} is being canceled.`);
      }),
    );
}

async function get(api: Api, backupId: string) {
  return (await answered(api.GET('/backups/{backupId}', { params: { path: { backupId } } }))).data;
}

const show = (answer: { readonly backup: Backup }, { output }: Session) =>
  output.record(answer, backupFields(answer.backup));

function followed(backupId: string, { api, command }: Session): Followed<Backup> {
  return {
    open: (options) => api.GET('/backups/{backupId}/events', { params: { path: { backupId } }, ...options }),
    event: 'backup',
    isOver: (backup) => !isActive(backup),
    standingOf,
    goesOn: {
      subject: 'The backup',
      commands: [`${command} backup watch ${backupId}`, `${command} backup cancel ${backupId}`],
    },
  };
}

async function waitFor(backupId: string, session: Session, limits: FollowLimits): Promise<number> {
  const { output, tell } = session;
  const backup = await follow(followed(backupId, session), session, limits);
  if (output.isTable) tell(endOf(backup), styleOf(backup.state));
  else await output.record({ backup }, []);
  return backup.state === 'Succeeded' ? EXIT.done : EXIT.failed;
}

async function waitForVerdict(backupId: string, session: Session, limits: FollowLimits): Promise<number> {
  const { command, output } = session;
  const ofVerification: Followed<Backup> = {
    ...followed(backupId, session),
    isOver: isVerified,
    standingOf: verificationStanding,
    goesOn: {
      subject: 'The verification',
      commands: [`${command} backup get ${backupId}`, `${command} backup cancel-verify ${backupId}`],
    },
  };
  const backup = await follow(ofVerification, session, limits);
  await output.record(
    { backup },
    backupFields(backup).filter(([name]) => ['verification', 'earlier verdict'].includes(name)),
  );
  return backup.verification?.state === 'Good' ? EXIT.done : EXIT.failed;
}

function deletedAs({ id, deletion: { state, error } }: Backup, command: string): string {
  if (state === 'Trashed') return `The backup ${id} is in the bin. To take it out: ${command} backup undelete ${id}`;
  if (state === 'Deleted') return `The backup ${id} is deleted.`;
  if (state === 'Forgotten') return `The backup ${id} is forgotten; its files may remain.`;
  return `The deletion of ${id} is under way (${state}${error ? `: ${error}` : ''}).`;
}
