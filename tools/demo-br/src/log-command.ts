import { setTimeout as pause } from 'node:timers/promises';
import { boolFlag, type GivenFlags, textFlag } from './arguments.ts';
import type { CommandContext } from './backup-command.ts';
import { loggedArguments } from './backup-options.ts';
import { BrError, invalidArgument } from './br-error.ts';
import { clusterOf } from './cluster-of.ts';
import type { ClusterState, DemoCluster } from './demo-cluster.ts';
import { goDuration } from './go-format.ts';
import { errorFields, type Log, openCommandLog } from './log.ts';
import type { LogCommandName } from './log-command-names.ts';
import type { Fields } from './log-line.ts';
import type { LogTask } from './log-state.ts';
import { printStatus } from './log-status.ts';
import { openLogStorage, storageFlagsOf } from './log-storage.ts';
import { advance, dateOf, isHistoryGone } from './log-task.ts';
import { truncateLog } from './log-truncate.ts';
import { misbehave } from './misbehave.ts';
import { pdAddresses } from './pd-addresses.ts';
import { printError } from './print-error.ts';
import { outcomeOfThisRun } from './run-count.ts';
import { readScript, type Script } from './script.ts';
import { tsoAt } from './tso.ts';
import { versionFields } from './version.ts';

/** What a command works with. */
export interface LogRun {
  readonly flags: GivenFlags;
  readonly script: Script;
  readonly context: CommandContext;
  readonly log: Log;
}

const END_TS = '999999999999999999';
const DEFAULT_TTL_SECONDS = 86_400;
/** How long BR waits for PD. */
const PD_SECONDS = 5;

/** `br log …`. @returns the exit code */
export async function logCommand(name: LogCommandName, flags: GivenFlags, context: CommandContext): Promise<number> {
  const { dialect, env, signals } = context;
  using log = openCommandLog(flags, env);
  signals.logTo(log);
  const startedAt = performance.now();
  log.info('info.go:53', 'Welcome to Backup & Restore (BR)', versionFields(dialect.version));
  log.info('common.go:925', 'arguments', [['__command', `br log ${name}`], ...loggedArguments(flags)]);
  try {
    const pd = pdAddresses(flags);
    const read = await readScript(env, undefined, pd, 'log');
    const script: Script = { ...read, outcome: await outcomeOfThisRun(read.outcome, read.runsFile) };
    const run: LogRun = { flags, script, context, log };
    await stumble(run);
    await perform(name, run, startedAt);
    return 0;
  } catch (error) {
    const failure = error instanceof BrError ? error : new BrError((error as Error).message);
    if (name !== 'status' && name !== 'truncate') {
      log.info('collector.go:224', 'units canceled', [['cancel-unit', 0]]);
      log.summary(`log ${name}`, 'failed', [
        ...COUNTS_FAILED,
        ['unit-name', `log ${name}`],
        ...errorFields(failure).slice(0, 1),
      ]);
    }
    printError(failure, dialect);
    log.error('main.go:38', 'br failed', failure);
    return failure.exitCode;
  }
}

const COUNTS: Fields = [
  ['total-ranges', 0],
  ['ranges-succeed', 0],
  ['ranges-failed', 0],
];
const COUNTS_FAILED: Fields = [
  ['total-ranges', 1],
  ['ranges-succeed', 0],
  ['ranges-failed', 1],
];

/** What the script says goes wrong before anything is done. */
async function stumble({ script: { outcome, waitScale }, log, context }: LogRun): Promise<void> {
  const { ledger, signals } = context;
  const { signal } = signals;
  if (outcome.kind === 'fail' && outcome.name === 'pd-unreachable') {
    await pause(PD_SECONDS * 1_000 * waitScale, undefined, { signal });
    throw new BrError(
      'context deadline exceeded: connection error: desc = "transport: Error while dialing: connect: connection refused"',
    );
  }
  await misbehave(outcome, { ledger, log, signal });
}

async function perform(name: LogCommandName, run: LogRun, startedAt: number): Promise<void> {
  const { log } = run;
  const said = await COMMANDS[name](run);
  if (!said) return;
  log.info('collector.go:268', `log ${name}`, said);
  log.summary(`log ${name}`, 'success', [...COUNTS, ['total-take', goDuration(performance.now() - startedAt)]]);
}

/** What each does; its answer is the fields of its line, none for those that print for people. */
const COMMANDS: Readonly<Record<LogCommandName, (run: LogRun) => Promise<Fields | undefined>>> = {
  start: (run) =>
    changed(run, async (cluster, name, state) => {
      if (state.logTask)
        throw new BrError(
          'failed to start the log backup, allow only one running task',
          'BR:Stream:ErrStreamLogTaskExist',
        );
      refuseRestores(state);
      const task = await newTask(run, name);
      await cluster.changeState(() => ({ logTask: task, logChanges: [] }));
      return [infoOf(task), ['pausing', 'false'], ['rangeCount', 2]];
    }),
  pause: (run) =>
    changed(run, async (cluster, name, state) => {
      const task = existing(state, name);
      if (task.state !== 'NORMAL') throw unknownError(`The task ${name} is paused already.`);
      const ttlSeconds = Number(textFlag(run.flags, 'gc-ttl', String(DEFAULT_TTL_SECONDS)));
      const keptUntil = Date.now() + ttlSeconds * 1_000;
      await cluster.changeState(() => ({ logTask: { ...task, state: 'PAUSE', severity: 'MANUAL', keptUntil } }));
      return [infoOf(task)];
    }),
  resume: (run) =>
    changed(run, async (cluster, name, state) => {
      const task = existing(state, name);
      if (task.state === 'NORMAL') throw unknownError(`The task ${name} is active already.`);
      const { checkpoint } = task;
      if (isHistoryGone(task))
        throw unknownError(`the global checkpoint ts: ${checkpoint}(${dateOf(BigInt(checkpoint))}) has been gc. `);
      await cluster.changeState(() => ({ logTask: { ...task, state: 'NORMAL', severity: '', errors: [] } }));
      return [infoOf(task)];
    }),
  stop: (run) =>
    changed(run, async (cluster, name, state) => {
      const task = existing(state, name);
      await cluster.changeState(() => ({ logTask: null, logChanges: [] }));
      return [infoOf(task)];
    }),
  async status({ flags, script, context }) {
    const cluster = clusterWith({ flags, script });
    await carryOn(cluster, { script, context });
    const { logTask } = await cluster.readState();
    const name = textFlag(flags, 'task-name');
    if (name !== '' && logTask?.name !== name) throw notThere(name);
    printStatus(logTask, { isJson: boolFlag(flags, 'json', false), dialect: context.dialect });
    return undefined;
  },
  async metadata({ flags, context }) {
    const { min, max } = await (await storageOf(flags, context)).range();
    return [
      ['log-min-ts', min],
      ['log-min-date', dateOf(min)],
      ['log-max-ts', max],
      ['log-max-date', dateOf(max)],
    ];
  },
  async truncate({ flags, script, context }) {
    await truncateLog(await storageOf(flags, context), { flags, script, signal: context.signals.signal });
    return undefined;
  },
};

/** A change of the task, which nobody else makes meanwhile. */
async function changed(
  run: LogRun,
  change: (cluster: DemoCluster, name: string, state: ClusterState) => Promise<Fields>,
): Promise<Fields> {
  const name = textFlag(run.flags, 'task-name');
  if (name === '') throw invalidArgument('Miss parameters task-name');
  const cluster = clusterWith(run);
  await cluster.touch();
  return cluster.alone(run.context.signals.signal, async () => {
    await advance(cluster, { lagSeconds: run.script.logLagSeconds, ...run.context });
    return change(cluster, name, await cluster.readState());
  });
}

/** What runs is carried on up to now. */
async function carryOn(cluster: DemoCluster, { script, context }: Pick<LogRun, 'script' | 'context'>): Promise<void> {
  if (!(await cluster.isTouched())) return;
  await cluster.alone(context.signals.signal, () => advance(cluster, { lagSeconds: script.logLagSeconds, ...context }));
}

function clusterWith({ flags, script }: Pick<LogRun, 'flags' | 'script'>): DemoCluster {
  const cluster = clusterOf(script, pdAddresses(flags));
  if (!cluster)
    throw new BrError('demo-br: a log backup needs a place for its cluster: set DEMO_BR_CLUSTERS to a folder');
  return cluster;
}

function storageOf(flags: GivenFlags, { dialect, env }: Pick<CommandContext, 'dialect' | 'env'>) {
  return openLogStorage(textFlag(flags, 'storage'), storageFlagsOf(flags), dialect, env);
}

async function newTask({ flags, script, context }: LogRun, name: string): Promise<LogTask> {
  const storage = await storageOf(flags, context);
  const given = textFlag(flags, 'start-ts');
  const startTs = given === '' ? tsoAt(Date.now()) : BigInt(given);
  const goesOn = await storage.begin(startTs, script.clusterId);
  const start = String(goesOn ?? startTs);
  return {
    name,
    storage: textFlag(flags, 'storage'),
    flags: storageFlagsOf(flags),
    printed: storage.uri,
    ...{ startTs: start, checkpoint: start, state: 'NORMAL', severity: '', keptUntil: 0, errors: [] },
  };
}

function refuseRestores({ restoresUntil }: ClusterState): void {
  const now = Date.now();
  const running = Object.entries(restoresUntil).filter(([, until]) => until > now);
  if (running.length === 0) return;
  const keys = running.map(
    ([id, until]) =>
      `[ key: /tidb/brie/import/restore/${id}, lease-id: 64cca22acd70921b, ttl: ${Math.round((until - now) / 1_000)}s ]`,
  );
  throw new BrError(
    `There are some lightning/restore tasks running: ${keys.join(', ')}, please stop or wait finishing at first. If the lightning/restore task is forced to terminate by system, please wait for ttl to decrease to 0.`,
  );
}

function existing({ logTask }: ClusterState, name: string): LogTask {
  if (logTask?.name !== name) throw notThere(name);
  return logTask;
}

const notThere = (name: string) => new BrError(`no such task ${name}`, 'BR:PiTR:ErrTaskNotFound');
const unknownError = (text: string) => new BrError(text, 'BR:KV:ErrKVUnknown');

function infoOf({ name, startTs }: LogTask): readonly [string, string] {
  return ['streamTaskInfo', `{taskName=${name},startTs=${startTs},endTS=${END_TS},tableFilter=*.*}`];
}
