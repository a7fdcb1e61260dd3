import { randomUUID } from 'node:crypto';
import { Option } from '@commander-js/extra-typings';
import { DEFAULT_PAGE_SIZE, MAX_COMMAND_ROWS, MAX_PAGE_SIZE, MAX_RATE_LIMIT } from '@tidemark/limits/limits';
import { type Api, answered, PLAIN_TEXT } from '../api.ts';
import type { Restore, RestorePlan } from '../api-types.ts';
import { styleOf } from '../backup-record.ts';
import { confirmByName } from '../confirm.ts';
import { EXIT, UsageError } from '../exit.ts';
import { type Followed, type FollowLimits, follow } from '../follow.ts';
import { toMoment } from '../moment.ts';
import {
  examples,
  labelsOf,
  PATIENCE,
  type Program,
  TIMEOUT,
  toId,
  toLabel,
  toTexts,
  wholeNumber,
} from '../options.ts';
import { readPages } from '../pages.ts';
import { printLog } from '../print-log.ts';
import {
  cleanupOf,
  endOf,
  isActive,
  planFields,
  RESTORE_COLUMNS,
  restoreFields,
  standingOf,
} from '../restore-record.ts';
import type { Run, Session } from '../session.ts';
import { layOutRecord } from '../table.ts';
import { counted, when } from '../text.ts';
import { type OptionsOf, withOptions } from '../with-options.ts';

const STATES = ['Queued', 'Running', 'Canceling', 'Succeeded', 'Failed', 'Canceled'] as const;
const ID = 'Qm1haW4tcmVzdG9yZS0wMQ';
const BACKUP = 'h6IhUQh-Q32MDOfcVieYgA';

/** What a restore may be told. */
const WISHES = {
  filter: new Option(
    '--filter <rule>',
    'only these tables, such as shop.orders or shop.*; may be given again',
  ).argParser(toTexts),
  withSystemTables: new Option('--with-system-tables', 'users, their passwords and grants come back too'),
  noStats: new Option('--no-stats', 'statistics stay behind'),
  placementPolicies: new Option('--placement-policies <what>', 'what becomes of placement policies').choices([
    'strict',
    'ignore',
  ]),
  waitTiflash: new Option('--wait-tiflash', 'the end waits for the TiFlash replicas'),
  rateLimit: new Option('--rate-limit <MiB/s>', 'per TiKV').argParser(wholeNumber(1, MAX_RATE_LIMIT)),
  brOption: new Option(
    '--br-option <flag=value>',
    'a further flag of br, without dashes; may be given again',
  ).argParser(toLabel),
};
interface Wishes {
  readonly filter?: string[];
  readonly withSystemTables?: boolean;
  readonly stats?: boolean;
  readonly placementPolicies?: 'strict' | 'ignore';
  readonly waitTiflash?: boolean;
  readonly rateLimit?: number;
  readonly brOption?: string[];
}

const OF = ['--of <cluster>', 'with --at: the cluster whose data are restored', toId] as const;
const AT = [
  '--at <moment>',
  'in place of a backup: a point in time, such as "yesterday 10:15"; without a zone it is of this machine',
  toMoment,
] as const;

export function add(program: Program, run: Run): void {
  const group = program
    .command('restore')
    .summary('plan, start and follow restores, and see to one that ended in the middle')
    .description('Restores of backups into clusters (docs/restores.md).');

  withOptions<OptionsOf<Wishes>>(Object.values(WISHES))(
    group
      .command('plan')
      .description('Says what a restore would do, and what stands in its way. Changes nothing.')
      .argument('[backup]', 'the backup; none with --at', toId)
      .requiredOption('--into <cluster>', 'the cluster that is restored into', toId)
      .option(...OF)
      .option(...AT),
  )
    .addHelpText(
      'after',
      examples(
        `restore plan ${BACKUP} --into orders-dr`,
        `restore plan --of orders --at "yesterday 10:15" --into orders-dr`,
        `restore plan ${BACKUP} --into orders --filter 'shop.*' --filter '!shop.tmp'`,
      ),
    )
    .action((backupId, { into, of, at, ...wishes }) =>
      run(async ({ api, output }) => {
        const plan = await planOf(api, wishOf(sourceOf(backupId, of, at), into, wishes));
        await output.record({ plan }, planFields(plan));
        return plan.checks.some(({ result }) => result === 'blocked') ? EXIT.failed : EXIT.done;
      }),
    );

  withOptions<OptionsOf<Wishes>>(Object.values(WISHES))(
    group
      .command('start')
      .description(
        'Starts a restore and prints its id. On a terminal it shows the plan and has the name of the target typed; elsewhere it wants --plan and --yes.',
      )
      .argument('[backup]', 'the backup; none with --at', toId)
      .requiredOption('--into <cluster>', 'the cluster that is restored into', toId)
      .option(...OF)
      .option(...AT)
      .option('--plan <hash>', 'of the plan that you looked at: it is refused if anything has changed since')
      .option('--acknowledge <check>', 'passes over a check that is blocked; may be given again', toTexts)
      .option('--yes', 'do not ask')
      .option('--wait', 'wait for the end; the exit code says whether it succeeded')
      .option(...TIMEOUT)
      .option(...PATIENCE),
  )
    .addHelpText(
      'after',
      examples(
        `restore start ${BACKUP} --into orders-dr --wait`,
        `restore start ${BACKUP} --into orders-dr --plan 3f9c0d5e7a1b2c4d --yes`,
        `restore start --of orders --at 2026-01-31T10:15:00+01:00 --into orders-dr --wait`,
      ),
    )
    .action((backupId, { into, of, at, plan: planHash, acknowledge = [], yes, wait, timeout, patience, ...wishes }) =>
      run(async (session) => {
        const { api, output, tell, command } = session;
        const wish = wishOf(sourceOf(backupId, of, at), into, wishes);
        const plan = await planOf(api, wish);
        requireLookedAt(plan, planHash, yes, session);
        await confirmByName(into, `This restores ${namedIn(plan)} into the cluster ${into}.`, yes, session);
        const body = { ...wish, planHash: planHash ?? plan.planHash, confirm: into, acknowledge };
        const { data } = await answered(
          api.POST('/restores', { params: { header: { 'Idempotency-Key': randomUUID() } }, body }),
        );
        if (!wait || output.isTable) await output.word(data, data.restoreId);
        if (wait) return await waitFor(data.restoreId, session, { timeout, patience });
        if (output.isTable) tell(`Accepted. To follow it: ${command} restore watch ${data.restoreId}`);
        return EXIT.done;
      }),
    );

  group
    .command('list')
    .description('Lists restores, the newest first.')
    .option('--into <cluster>', 'only into this cluster', toId)
    .option('--from <cluster>', 'only of backups of this cluster', toId)
    .option('--backup <id>', 'only of this backup', toId)
    .addOption(new Option('--state <state>', 'only in this state').choices(STATES))
    .option('--limit <count>', `how many (${DEFAULT_PAGE_SIZE * 5})`, wholeNumber(1, MAX_COMMAND_ROWS))
    .addHelpText('after', examples('restore list --into orders-dr', 'restore list --state Failed -o wide'))
    .action(({ into, from, backup, state, limit = DEFAULT_PAGE_SIZE * 5 }) =>
      run(async ({ api, output, tell }) => {
        const { answer, items, pageToken } = await readPages(limit, MAX_PAGE_SIZE, async (pageSize, token) => {
          const query = {
            pageSize,
            ...(token !== undefined && { pageToken: token }),
            ...(into !== undefined && { targetClusterId: into }),
            ...(from !== undefined && { sourceClusterId: from }),
            ...(backup !== undefined && { backupId: backup }),
            ...(state && { state }),
          };
          const { data } = await answered(api.GET('/restores', { params: { query } }));
          return { answer: data, items: data.restores, pageToken: data.pageToken };
        });
        const { pageToken: _, ...rest } = answer;
        await output.list(
          { ...rest, restores: items, ...(pageToken !== undefined && { pageToken }) },
          items,
          RESTORE_COLUMNS,
        );
        if (pageToken !== undefined)
          tell(`There are more than ${counted(items.length, 'restore')}: --limit says how many are listed.`);
      }),
    );

  group
    .command('get')
    .description('Shows a restore: how far it is, or how it ended, and what to do then.')
    .argument('<restore>', 'its id', toId)
    .addHelpText('after', examples(`restore get ${ID}`))
    .action((restoreId) =>
      run(async ({ api, output }) => {
        const { data } = await answered(api.GET('/restores/{restoreId}', { params: { path: { restoreId } } }));
        await output.record(data, restoreFields(data.restore));
      }),
    );

  group
    .command('watch')
    .description('Follows a restore to its end; the exit code says whether it succeeded.')
    .argument('<restore>', 'its id', toId)
    .option(...TIMEOUT)
    .option(...PATIENCE)
    .addHelpText('after', examples(`restore watch ${ID}`))
    .action((restoreId, limits) => run((session) => waitFor(restoreId, session, limits)));

  group
    .command('events')
    .description('Prints the record of a restore now and after each change, until it is over.')
    .argument('<restore>', 'its id', toId)
    .option(...TIMEOUT)
    .option(...PATIENCE)
    .addHelpText('after', examples(`restore events ${ID} -o jsonl`))
    .action((restoreId, limits) =>
      run(async (session) => {
        const each = (restore: Restore) => {
          const { state, step, percent } = standingOf(restore);
          const share = percent === undefined ? '' : `${Math.floor(percent)} %`;
          return session.output.item(restore, [state, restore.targetState, step, share].filter(Boolean).join('  '));
        };
        await follow({ ...followed(restoreId, session), each }, session, limits);
      }),
    );

  group
    .command('logs')
    .alias('log')
    .description('Prints what br printed.')
    .argument('<restore>', 'its id', toId)
    .option('-f, --follow', 'go on until the restore is over')
    .option('--attempt <number>', 'only this attempt', wholeNumber(1, 1_000))
    .addHelpText('after', examples(`restore logs ${ID} -f`))
    .action((restoreId, { follow: goesOn, attempt }) =>
      run(async (session) => {
        const query = { ...(goesOn && { follow: true }), ...(attempt !== undefined && { attempt }) };
        const params = { path: { restoreId }, query };
        const { stop: signal } = session;
        const call = session.api.GET('/restores/{restoreId}/log', {
          params,
          parseAs: 'stream',
          headers: { accept: PLAIN_TEXT },
          signal,
        });
        await printLog(answered(call), session);
      }),
    );

  group
    .command('cancel')
    .description('Cancels a restore. Where br has begun, the target then holds a part of the data.')
    .argument('<restore>', 'its id', toId)
    .option('--reason <text>', 'why, for the record')
    .option('--yes', 'do not ask')
    .addHelpText('after', examples(`restore cancel ${ID} --reason "wrong target"`))
    .action((restoreId, { reason, yes }) =>
      run(async (session) => {
        const { api, output, tell, command } = session;
        const { target, targetState } = await restoreOf(api, restoreId);
        if (targetState === 'Partial')
          await confirmByName(
            target.clusterId,
            `The cluster ${target.clusterId} holds a part of the data, and will until the restore is resumed or the cluster is cleaned.`,
            yes,
            session,
          );
        const body = reason === undefined ? {} : { reason };
        const { data } = await answered(
          api.POST('/restores/{restoreId}/cancel', { params: { path: { restoreId } }, body }),
        );
        await output.record(data, []);
        if (output.isTable)
          tell(`The restore ${restoreId} is being canceled. To follow it: ${command} restore watch ${restoreId}`);
      }),
    );

  group
    .command('resume')
    .description('Goes on with a restore that ended in the middle, at its checkpoint.')
    .argument('<restore>', 'its id', toId)
    .option('--host-dead', 'you are certain that the host of the lost worker is dead')
    .addHelpText('after', examples(`restore resume ${ID}`))
    .action((restoreId, { hostDead = false }) =>
      run(async ({ api, output, tell, command }) => {
        const { data } = await answered(
          api.POST('/restores/{restoreId}/resume', { params: { path: { restoreId } }, body: { hostDead } }),
        );
        await output.record(data, []);
        if (output.isTable)
          tell(`The restore ${restoreId} goes on. To follow it: ${command} restore watch ${restoreId}`);
      }),
    );

  group
    .command('release')
    .description('Gives the target of a restore that ended in the middle free again.')
    .argument('<restore>', 'its id', toId)
    .option('--cleaned', 'what it left in the target was removed')
    .option('--not-cleaned', 'it was not: the target is given up as it is')
    .option('--note <text>', 'what was done, for the record')
    .option('--host-dead', 'you are certain that the host of the lost worker is dead')
    .option('--yes', 'do not ask')
    .addHelpText('after', examples(`restore release ${ID} --cleaned --note "dropped shop.orders"`))
    .action((restoreId, { cleaned, notCleaned, note, hostDead = false, yes }) =>
      run(async (session) => {
        const { api, output, tell, command } = session;
        if (cleaned === notCleaned)
          throw new UsageError(
            `Say --cleaned or --not-cleaned; "${command} restore cleanup ${restoreId}" shows what there is to clean.`,
          );
        const { target } = await restoreOf(api, restoreId);
        await confirmByName(
          target.clusterId,
          `This gives the cluster ${target.clusterId} free for backups and other restores.`,
          yes,
          session,
        );
        const body = { targetCleaned: cleaned === true, hostDead, ...(note !== undefined && { note }) };
        const { data } = await answered(
          api.POST('/restores/{restoreId}/release', { params: { path: { restoreId } }, body }),
        );
        await output.record(data, []);
        if (output.isTable) tell(`The cluster ${target.clusterId} is ${data.restore.targetState}.`);
      }),
    );

  group
    .command('cleanup')
    .description('Shows what a restore may have left behind in its target, and how that goes away.')
    .argument('<restore>', 'its id', toId)
    .option('--done', 'the databases of the checkpoint were dropped: other restores may begin there')
    .addHelpText('after', examples(`restore cleanup ${ID}`, `restore cleanup ${ID} --done`))
    .action((restoreId, { done }) =>
      run(async ({ api, output }) => {
        const params = { path: { restoreId } };
        const { data } = await answered(
          done ? api.POST('/restores/{restoreId}/cleaned', { params }) : api.GET('/restores/{restoreId}', { params }),
        );
        const { restore } = data;
        await output.record(data, [
          ['target', `${restore.target.clusterId}: ${restore.targetState}`],
          ['advice', restore.advice],
          ['left behind', cleanupOf(restore) || 'nothing that is known'],
          ['checkpoint', restore.needsCleaning ? 'lies in the target, so that no other restore may begin there' : ''],
        ]);
      }),
    );
}

type Wish = ReturnType<typeof wishOf>;
type Source = ReturnType<typeof sourceOf>;

/** @throws UsageError where it is not one backup, or one moment of a cluster */
function sourceOf(backupId: string | undefined, of: string | undefined, at: Date | undefined) {
  if ((of === undefined) !== (at === undefined))
    throw new UsageError('A moment takes both: --of names the cluster whose data are restored, --at the moment.');
  if ((backupId === undefined) === (of === undefined))
    throw new UsageError('Name a backup, or a moment of a cluster by --of and --at.');
  return of === undefined || at === undefined
    ? { backupId }
    : { source: { clusterId: of, pointInTime: at.toISOString() } };
}

/** What a plan restores, for a sentence. */
function namedIn({ source: { backupId, clusterId, log } }: RestorePlan): string {
  return log ? `${clusterId} as it was at ${when(log.pointInTime)}` : `the backup ${backupId}`;
}

function wishOf(source: Source, targetClusterId: string, wishes: Wishes) {
  const { filter, withSystemTables, stats, placementPolicies, waitTiflash, rateLimit, brOption } = wishes;
  return {
    ...source,
    targetClusterId,
    ...(filter && { filter }),
    ...(withSystemTables && { withSystemTables }),
    ...(stats === false && { loadStats: false }),
    ...(placementPolicies && { placementPolicies }),
    ...(waitTiflash && { waitTiFlashReady: true }),
    ...(rateLimit !== undefined && { rateLimit }),
    ...(brOption && { brOptions: labelsOf(brOption) }),
  };
}

async function planOf(api: Api, body: Wish): Promise<RestorePlan> {
  return (await answered(api.POST('/restores/plan', { body }))).data.plan;
}

async function restoreOf(api: Api, restoreId: string): Promise<Restore> {
  return (await answered(api.GET('/restores/{restoreId}', { params: { path: { restoreId } } }))).data.restore;
}

/** Shows the plan to who will be asked. @throws UsageError where nobody looked at it */
function requireLookedAt(
  plan: RestorePlan,
  planHash: string | undefined,
  yes: boolean | undefined,
  session: Session,
): void {
  const { screen, isInteractive, command } = session;
  if (!yes && isInteractive) {
    for (const line of layOutRecord(planFields(plan), screen)) screen.write(`${line}\n`);
    return;
  }
  if (planHash === undefined && plan.target.purpose !== 'scratch')
    throw new UsageError(
      `Look at the plan first (${command} restore plan ${wordsFor(plan.source)} --into ${plan.target.clusterId}), and name its hash with --plan.`,
    );
}

const wordsFor = ({ backupId, clusterId, log }: RestorePlan['source']) =>
  log ? `--of ${clusterId} --at ${log.pointInTime}` : backupId;

function followed(restoreId: string, { api, command }: Session): Followed<Restore> {
  return {
    open: (options) => api.GET('/restores/{restoreId}/events', { params: { path: { restoreId } }, ...options }),
    event: 'restore',
    isOver: (restore) => !isActive(restore),
    standingOf,
    goesOn: {
      subject: 'The restore',
      commands: [`${command} restore watch ${restoreId}`, `${command} restore cancel ${restoreId}`],
    },
  };
}

async function waitFor(restoreId: string, session: Session, limits: FollowLimits): Promise<number> {
  const { output, tell } = session;
  const restore = await follow(followed(restoreId, session), session, limits);
  if (output.isTable) tell(endOf(restore), styleOf(restore.state));
  else await output.record({ restore }, []);
  return restore.state === 'Succeeded' ? EXIT.done : EXIT.failed;
}
