/**
 * Runs one granted restore from its first look at the source to its reported end.
 *
 * W1. Before the spawn, in this order: is it canceled, or does this worker stop? Is the `br` here that may go on? Is the source
 *     sound? Are its key and the TLS files here? The run's folder is on disk; `starting` is answered, and that was soon enough.
 * W2. The machine may sleep at any line: where it did while `starting` was asked, it is asked again.
 * W3. The end is reported only when nobody is left in br's process group, and the folder goes only once that was answered.
 * W4. Once the task is lost, `br` is stopped, nothing is touched in the target or in the storage, and its end is reported late.
 * W5. Nothing that goes wrong before the spawn says anything of the target but that it is as it was.
 */
import { isDeepStrictEqual } from 'node:util';
import { metadataLimit } from '@tidemark/backupmeta/backupmeta';
import { openCrypter } from '@tidemark/backupmeta/crypter';
import { namedRules } from '@tidemark/br-options/table-filter';
import type { CollectionLook } from '@tidemark/br-restore/collection';
import { type RestoreOrder, restoreArguments, withRateLimit } from '@tidemark/br-restore/command';
import { planChecks } from '@tidemark/br-restore/plan-checks';
import { FIRST_REFUSING_TABLES, keepsCheckpoint, refusesTables } from '@tidemark/br-restore/versions';
import { AppError } from '@tidemark/errors/app-error';
import type { RestoreRef, StorageMarker } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { withTimeout } from '@tidemark/service-kit/abort';
import { sleep } from '@tidemark/service-kit/backoff';
import type { Env } from '@tidemark/service-kit/env';
import type { Timing } from '@tidemark/service-kit/timing';
import { secretsOf, storageCredentials } from '@tidemark/storage/credentials';
import { secretsFolder } from '@tidemark/storage/secret-file';
import { recorded, type TraceHeaders } from '@tidemark/tracing/trace';
import { requireSoundPlace, requireSoundRestore, requireTlsFiles } from '../br/check-grant.ts';
import { brEnvironment } from '../br/command.ts';
import type { Guards } from '../br/process.ts';
import { type BrProgram, chooseProgram, type Programs } from '../br/programs.ts';
import type { CompletionAnswer } from '../completion.ts';
import { brEnded, leaseLost, type RestoreTaskFacts } from '../events.ts';
import type { Lease } from '../lease-keeper.ts';
import { log } from '../logger.ts';
import type { OutputRecorder } from '../output-recorder.ts';
import { type Reach, troubleOf } from '../reach.ts';
import { knownFilesIn, openKnownStorage, requireKnown, rootOf } from '../storage/marker.ts';
import { announceAwake } from './announce-awake.ts';
import { endOfRestore, type RestoreEnd, toEnd, type Verdict } from './end.ts';
import { checkFilter } from './filter-check.ts';
import { type ReportLateEnd, reportLateEnds } from './late-ends.ts';
import type { RestoreRun, RunFolders } from './run-folders.ts';
import { type FinishedRestore, type RestoreRunOptions, runRestore } from './run-restore.ts';
import { type CheckedSource, checkSource } from './source-check.ts';
import type { LookAtCollection, LookAtTarget } from './target-look.ts';

/** A restore to run. */
export interface RestoreGrant {
  readonly order: RestoreOrder;
  /** In MiB per second and TiKV; it may have changed since the last attempt. */
  readonly rateLimit: number | undefined;
  /** Of the target, such as 8.5.0. */
  readonly targetVersion: string;
  /** A person said that the target has none of the tables that the filter chooses. */
  readonly existingTablesAccepted: boolean;
  /** The snapshot that the source holds, and the id that TiDB gave its cluster. */
  readonly tso: bigint;
  readonly tidbClusterId: bigint;
  readonly marker: StorageMarker | undefined;
  /** What the manifest of the source is to be, as `PlacedBackup` has it. */
  readonly manifestKeys: readonly string[];
  readonly signed: boolean;
  readonly unsoundAccepted: boolean;
  /** Names the storage as this task has it. */
  readonly storageDigest: string;
  /** The only `br` that may go on; undefined: any that fits the target. */
  readonly brVersion: string | undefined;
  /** The command line of the attempts before, without the rate limit; empty where the target is as it was. */
  readonly argvBefore: readonly string[];
  readonly wasPartial: boolean;
  /** How often the restore failed before, and how often it waited for another one. */
  readonly failures: number;
  readonly waits: number;
  /** Until its deadline. */
  readonly remainingMs: number;
}

/** The lease of a restore: as that of a backup, with a start of its own. */
export interface RestoreLease extends Pick<Lease, 'lost' | 'canceling' | 'report' | 'waitsFor' | 'guardWith'> {
  /**
   * As `Lease` has it: until when `br` may start, by `performance.now()`; undefined: it may not. The arguments are without
   * the program and the rate limit.
   */
  announce(starting: {
    readonly argv: readonly string[];
    readonly brVersion: string;
    readonly hasCheckpoint: boolean;
    /** What the TiKVs of a target that is as it was say, where a log is to be replayed. */
    readonly collection?: CollectionLook;
  }): Promise<number | undefined>;
}

/** Reports to backup-service, each until it is answered. */
export interface RestoreReports {
  complete(end: RestoreEnd): Promise<CompletionAnswer>;
  release(end: RestoreEnd): Promise<CompletionAnswer>;
  readonly lateEnd: ReportLateEnd;
}

export interface RestoreTaskDependencies {
  readonly reports: RestoreReports;
  readonly folders: RunFolders;
  readonly programs: Pick<Programs, 'usable'>;
  readonly guards: Guards;
  readonly env: Env;
  readonly timing: Pick<Timing, 'guardMs' | 'killMs' | 'graceMs'>;
  /** How much of `backupmeta` and of each of its metafiles is read. */
  readonly metadataBytes: number;
  readonly reach: Pick<Reach, 'failed' | 'worked'>;
  /** Aborts when this worker is to stop. */
  readonly drain: AbortSignal;
  readonly lookAtTarget: LookAtTarget;
  readonly lookAtCollection: LookAtCollection;
  /** Waits before a source that looks damaged is looked at once more; some seconds when left out. @throws the reason of the signal */
  readonly pause?: (signal: AbortSignal) => Promise<void>;
  /** Starts bringing what `br` prints to backup-service. */
  startRecorder(): OutputRecorder;
}

export interface GrantedRestore {
  readonly restore: RestoreRef;
  readonly grant: RestoreGrant;
  readonly facts: RestoreTaskFacts;
  readonly lease: RestoreLease;
  /** Of the task; empty where it is not traced. */
  readonly trace: TraceHeaders;
}

/** How a granted restore ended, and whether the task is completed with that or goes back. */
interface Outcome {
  readonly how: 'complete' | 'release';
  readonly end: RestoreEnd;
  /** The run, where a `br` may have been started. */
  readonly run?: RestoreRun;
}

/** A large backup on an object store takes a request for each thousand of its files. */
const LOOK_MS = 15 * 60_000;
const AWAY_SECONDS = 60;
const LOOK_AGAIN_MS = 5_000;
/** So often a restore is left to another worker that one cannot run. */
const WAITS_FOR_ANOTHER = 10;

/** Runs the restore; answers how it ended, for the log. */
export async function runRestoreTask(granted: GrantedRestore, dependencies: RestoreTaskDependencies): Promise<string> {
  const { restore, facts, lease } = granted;
  const { reports, folders } = dependencies;
  const { how, end, run } = await outcomeOf(granted, dependencies);

  if (lease.lost.aborted) {
    leaseLost(facts);
    if (run) await reportLateEnds([{ run, end }], reports.lateEnd, folders);
    else await folders.remove(restore.claim);
    return 'lost';
  }
  const answer = how === 'complete' ? await reports.complete(end) : await reports.release(end);
  // Where the task was lost meanwhile, the end was taken down all the same.
  if (answer !== 'unanswered') await folders.remove(restore.claim);
  if (answer !== 'held') return answer;
  return how === 'complete' ? `${end.kind}${end.reason ? `: ${end.reason.code}` : ''}` : 'released';
}

async function outcomeOf(granted: GrantedRestore, dependencies: RestoreTaskDependencies): Promise<Outcome> {
  const { grant, lease, facts } = granted;
  const { drain, reach } = dependencies;
  const without = (verdict: Verdict): Outcome => ({
    how: verdict.kind === 'none' && !lease.canceling.aborted ? 'release' : 'complete',
    end: toEnd(verdict, { wasPartial: grant.wasPartial, brVersion: grant.brVersion ?? '', chosen: chosenBy(grant) }),
  });
  const notStarted = () => without({ ...NOT_STARTED, code: lease.canceling.aborted ? 'CANCELED' : 'WORKER_STOPPED' });
  let started: RestoreRun | undefined;
  try {
    if (lease.canceling.aborted || drain.aborted) return notStarted();
    const outcome = await run(granted, dependencies, (begun) => {
      started = begun;
    });
    if (outcome === undefined) return notStarted();
    return 'how' in outcome ? outcome : without(outcome);
  } catch (error) {
    if (!started && (lease.lost.aborted || lease.canceling.aborted || drain.aborted)) return notStarted();
    log.warn({ ...facts, error }, 'the restore could not be run');
    if (started) return { ...without(BROKEN_OFF), run: started };
    if (error instanceof AppError && error.code === 'invalid_argument')
      return without({ kind: 'refused', code: 'OPTIONS_REFUSED', message: error.message });
    const trouble = troubleOf(error);
    if (!trouble) return without(NOT_PREPARED);
    reach.failed(known(grant), grant.storageDigest, trouble);
    const { code, message, passing } = trouble;
    // What is wrong with this worker alone, such as a mount that it lacks, is not wrong with the restore: another one may have it.
    const mayPass = passing || grant.waits < WAITS_FOR_ANOTHER;
    return without(
      mayPass ? { kind: 'wait', code, message, seconds: AWAY_SECONDS } : { kind: 'refused', code, message },
    );
  }
}

const NOT_STARTED: Verdict = { kind: 'none', code: 'WORKER_STOPPED', message: 'br was not started.' };
const NOT_PREPARED: Verdict = {
  kind: 'failedBefore',
  code: 'WORKER_TROUBLE',
  message: 'The worker could not prepare the restore; its log says why.',
  retryable: true,
};
const OTHER_COMMAND: Verdict = {
  kind: 'wait',
  code: 'OTHER_COMMAND',
  message:
    'This worker would call br with other arguments than the attempts before, which br may take for another restore; it is left to a worker of the version of Tidemark that began it.',
  seconds: AWAY_SECONDS,
};
const BROKEN_OFF: Verdict = {
  kind: 'stopped',
  code: 'WORKER_TROUBLE',
  message: 'The worker could not see the restore to its end; its log says why.',
  retryable: true,
};

/** The rules that choose a part of the backup, for sentences. */
function chosenBy({ order: { options } }: RestoreGrant): string | undefined {
  const { filter = [] } = options;
  return filter.length === 0 ? undefined : namedRules(filter);
}

const known = ({ order: { source }, marker }: RestoreGrant) => ({
  storage: source.storage,
  marker,
  root: rootOf(source.path),
});

/**
 * W1. Undefined where `br` may not be started; a verdict where it was not.
 *
 * @param onStart called before the spawn
 */
async function run(
  granted: GrantedRestore,
  dependencies: RestoreTaskDependencies,
  onStart: (run: RestoreRun) => void,
): Promise<Outcome | Verdict | undefined> {
  const { restore, grant, facts, lease } = granted;
  const { programs, guards, folders, env, reach, drain, timing } = dependencies;
  const { order, tso, tidbClusterId, rateLimit } = grant;
  const { source, target } = order;
  requireSoundPlace(source);
  if (order.point) requireSoundPlace(order.point);
  const program = programFor(programs.usable(), grant);
  if (!program) return { kind: 'wait', code: 'NO_FITTING_BR', message: noProgram(grant), seconds: AWAY_SECONDS };
  requireSoundRestore(order, rateLimit, program.version);

  const signal = withTimeout(LOOK_MS, lease.lost, lease.canceling, drain);
  const stored = await openKnownStorage(known(grant), env, { reading: true, signal });
  const { method = '', keyFile = '' } = source.key ?? {};
  const key = BrOptions.create({ crypterMethod: method, crypterKeyFile: keyFile });
  const decrypt = await openCrypter(key, secretsFolder(env), signal);
  const limit = metadataLimit(dependencies.metadataBytes);
  const files = await knownFilesIn(known(grant), stored, source.path);
  const { manifestKeys, signed, unsoundAccepted } = grant;
  const placed = { files, path: source.path, manifestKeys, signed, unsoundAccepted };
  const lookAtSource = () => checkSource(placed, { tso, tidbClusterId }, { decrypt, limit }, signal);
  const first = await lookAtSource();
  // Somebody may move folders about, and a verdict stays on the record of the backup.
  const { pause = (asked) => sleep(LOOK_AGAIN_MS, asked) } = dependencies;
  const found = first.kind === 'unfit' && first.damaged ? await pause(signal).then(lookAtSource) : first;
  // What is missing where another share is mounted, or none, says nothing of the backup.
  if (found.kind === 'unfit') await requireKnown(known(grant), stored, { signal });
  reach.worked(grant.storageDigest);
  if (found.kind === 'unfit')
    return { kind: 'refused', code: found.code, message: found.message, sourceDamaged: found.damaged };
  const misfit = misfitOf(granted, program.version, found);
  if (misfit) return misfit;
  const { filter = [] } = order.options;
  const unmatched = filter.length > 0 ? await checkFilter(files, filter, { decrypt, limit }, signal) : undefined;
  if (unmatched) return unmatched;
  // Of two storages of one kind those of the backup's count: br has one set for both.
  const ofLog = order.point ? await storageCredentials(order.point.storage, env, signal) : {};
  const credentials = { ...ofLog, ...(await storageCredentials(source.storage, env, signal)) };
  await requireTlsFiles(target.tls, secretsFolder(env), signal);

  const restoreArgv = restoreArguments(order, program.version);
  if (grant.argvBefore.length > 0 && !isDeepStrictEqual(restoreArgv, grant.argvBefore)) return OTHER_COMMAND;
  const argv = [program.path, ...withRateLimit(restoreArgv, rateLimit)] as const;
  const hasCheckpoint = keepsCheckpoint(program.version);
  const { wasPartial, failures, waits } = grant;
  const judgedBy = {
    brVersion: program.version,
    tso: String(tso),
    ...(order.point && { point: order.point.tso }),
    chosen: chosenBy(grant),
    wasPartial,
    failures,
    waits,
  };
  // What an attempt before may have turned off says nothing of what was off before the restore.
  const collection = order.point && !wasPartial ? await dependencies.lookAtCollection(target, signal) : undefined;
  using guard = guards.take();
  const { folder, run } = await folders.create({
    restoreId: restore.restoreId,
    claim: restore.claim,
    fence: Number(restore.fence),
    group: guard.group,
    facts: judgedBy,
  });
  const startBy = await announceAwake(() =>
    lease.announce({
      ...{ argv: restoreArgv, brVersion: program.version, hasCheckpoint },
      ...(collection && { collection }),
    }),
  );
  if (startBy === undefined || lease.canceling.aborted || drain.aborted || lease.lost.aborted) return undefined;

  onStart(run);
  const recorder = dependencies.startRecorder();
  const attributes = {
    'tidemark.restore_id': restore.restoreId,
    'tidemark.attempt': facts.attempt ?? 0,
    'br.version': program.version,
  };
  const options: RestoreRunOptions = {
    guard,
    startBy,
    facts,
    lease,
    drain,
    timing,
    remainingMs: grant.remainingMs,
    argv,
    env: brEnvironment(env, folder.temporary, credentials),
    folder,
    keepsCheckpoint: hasCheckpoint,
    tls: target.tls,
    secrets: secretsOf(credentials),
    recorder,
  };
  const finished = await recorded('br restore', { from: granted.trace, attributes }, () => runRestore(options));
  const { exit, output, started, stoppedFor } = finished;
  const end = endOfRestore(exit, output, { ...judgedBy, started, stoppedFor });
  await recorder.finish();
  brEnded(facts, exit, end.kind);
  const look = cameToPd(end)
    ? await dependencies.lookAtTarget({ ...target, toPoint: order.point !== undefined }, lease.lost)
    : undefined;
  return {
    how: isGivenBack(end, finished) && !lease.canceling.aborted ? 'release' : 'complete',
    end: look ? { ...end, look } : end,
    run,
  };
}

/** Whether `br` may have left anything in PD; where PD did not answer it, it does not answer another. */
const cameToPd = ({ kind }: RestoreEnd): boolean => kind !== 'none' && kind !== 'failedBefore';

/** What only the catalogue and the `br` at hand show, and nobody can pass over; the rest was shown before the restore was accepted. */
function misfitOf(
  { grant, facts }: GrantedRestore,
  brVersion: string,
  { description, sizeBytes }: Extract<CheckedSource, { kind: 'sound' }>,
): Verdict | undefined {
  const { order, tso, tidbClusterId, targetVersion } = grant;
  const { clusterVersion } = description;
  const source = { clusterId: '', pd: [], tso, tidbClusterId, clusterVersion, sizeBytes, tableChecksums: undefined };
  const target = { clusterId: facts.clusterId, pd: order.target.pd, version: targetVersion };
  const checks = planChecks({
    source: { ...source, catalogue: description },
    target: { ...target, tidbClusterId: undefined, newCollations: undefined },
    brVersion,
    options: order.options,
    now: new Date(),
  });
  const blocked = checks.find(({ code, level }) => level === 'blocked' && ['sourceKind', 'br'].includes(code));
  return blocked && { kind: 'refused', code: 'DOES_NOT_FIT', message: blocked.sentence };
}

/** Whether another worker is to go on without a try being counted: it was this one that stopped. */
function isGivenBack({ kind }: RestoreEnd, { stoppedFor, exit }: FinishedRestore): boolean {
  if (kind === 'none') return true;
  return kind === 'stopped' && (stoppedFor === 'drained' || (stoppedFor === undefined && exit.silenced));
}

function programFor(programs: readonly BrProgram[], grant: RestoreGrant): BrProgram | undefined {
  const { brVersion, targetVersion } = grant;
  if (brVersion !== undefined) return programs.find(({ version }) => version === brVersion);
  const fit = mustRefuseTables(grant) ? programs.filter(({ version }) => refusesTables(version)) : programs;
  return chooseProgram(fit, targetVersion);
}

/** A `br` that does not look would write into tables that are there, unless a person said that there are none. */
function mustRefuseTables({ order: { options }, existingTablesAccepted }: RestoreGrant): boolean {
  return (options.filter ?? []).length > 0 && !existingTablesAccepted;
}

function noProgram(grant: RestoreGrant): string {
  const { brVersion, targetVersion } = grant;
  if (brVersion !== undefined) return `The restore goes on with br ${brVersion} alone, which this worker has not.`;
  const needed = mustRefuseTables(grant)
    ? ` A filter needs br ${FIRST_REFUSING_TABLES} or later, which refuses tables that the target has already; another restore can be started that acknowledges "existingTables".`
    : '';
  return `No br of this worker fits a target of version ${targetVersion}.${needed}`;
}
