import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { keyIdOf } from '@tidemark/backupmeta/signature';
import { startCancelListener } from '@tidemark/messaging/cancel-listener';
import { connectBroker } from '@tidemark/messaging/connection';
import { type Consumer, type Run, startConsumer } from '@tidemark/messaging/consumer';
import {
  type ExecutorServiceServer,
  ExecutorServiceService,
  TaskRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { CommandKind } from '@tidemark/protocol/queue/v1/commands';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import { openTransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { trustNamedAuthorities } from '@tidemark/storage/authorities';
import { brEnvironment } from './br/command.ts';
import { openGuards } from './br/process.ts';
import { openPrograms } from './br/programs.ts';
import { createCompletion, type TaskCompletion } from './completion.ts';
import type { WorkerConfig } from './config.ts';
import { drained } from './drain.ts';
import { drainBegan, drainEnded, messageUnreadable, strayReported } from './events.ts';
import { createClaim } from './handle-command.ts';
import { createVerifier } from './handle-verification.ts';
import { brokerLog, log } from './logger.ts';
import { openManifestKey } from './manifest-key.ts';
import { watchOwnEnd } from './own-end.ts';
import { type PresenceReporter, startPresence } from './presence.ts';
import { createReach } from './reach.ts';
import { reportLateEnds } from './restore/late-ends.ts';
import { toEndMessage, toRestoreRef } from './restore/messages.ts';
import { openRunFolders } from './restore/run-folders.ts';
import { openRunRecords, type RunRecord, type RunRecords } from './run-records.ts';
import { createWorks } from './works.ts';

const READY_MS = 1_000;
const READ_KEY_MS = 10_000;
/** How long a stopping worker goes on trying to report how its tasks ended. */
const LAST_WORDS_MS = 15_000;
/** What a stop may take beyond the end of its tasks and their last words. */
const STOP_MARGIN_MS = 15_000;

const ANYWHERE =
  'TIDEMARK_SECRETS_DIR is not set: a cluster or storage may name any file that this worker can read as its key or credentials';

export interface RunningWorker extends AsyncDisposable {
  readonly operationsPort: number;
  /** How long its disposal waits at most for what runs; `hurry` ends that. */
  readonly drainMs: number;
  /** How long the rest of its disposal takes at most. */
  readonly stopMs: number;
  hurry(): boolean;
  /** Why it ends by itself, where it is to. */
  readonly finished: Promise<string>;
}

/**
 * Starts a worker: first it ends what an earlier one left running on this host, then it takes tasks.
 * Disposing it drains: nothing new is claimed, what runs is finished for as long as `drainMs` says, and what is left is
 * stopped and given back.
 */
export async function startWorker(config: WorkerConfig): Promise<RunningWorker> {
  for (const problem of trustNamedAuthorities(config.env)) log.warn({}, problem);
  const manifestKey = await openManifestKey(config.manifestKeyFile, AbortSignal.timeout(READ_KEY_MS));
  if (manifestKey) log.info({ keyId: keyIdOf(manifestKey) }, 'manifests of backups are signed');
  const records = await openRunRecords(config.stateDir);
  const unreported = await records.sweep();
  const folders = await openRunFolders(config.stateDir, { killMs: config.timing.killMs });
  const endedRestores = await folders.sweep();
  if (config.secretsDir === undefined) log.warn({}, ANYWHERE);
  await using stack = new AsyncDisposableStack();
  const certificate = stack.use(openTransportSecurity(config, { log }));
  const programs = stack.use(await openPrograms(config.programs, brEnvironment(config.env, config.stateDir)));
  const guards = stack.use(openGuards(config.stateDir));
  const { host, port } = config.backupService;
  const client = stack.use(
    createServiceClient<ExecutorServiceServer>(ExecutorServiceService, {
      address: `${host}:${port}`,
      token: config.serviceToken,
      certificate,
    }),
  );
  /** Nothing new is taken. */
  const leaving = new AbortController();
  const hurry = new AbortController();
  /** What runs is given back. */
  const drain = new AbortController();
  const giveUp = new AbortController();
  const completion = createCompletion(client, { callMs: config.timing.callMs, giveUp: giveUp.signal });
  const reporting = Promise.all([
    reportStrays(unreported, completion, records),
    reportLateEnds(
      endedRestores,
      ({ run, end }) => completion.reportRestoreEnd(toRestoreRef(run), end && toEndMessage(end)),
      folders,
    ),
  ]);

  const stays = config.mostTasks === undefined && config.idleMs === 0;
  const instance = randomBytes(24).toString('base64url');
  const works = createWorks();
  let presence: PresenceReporter | undefined;
  const reach = stack.use(createReach(config.env, () => presence?.changed()));
  const leases = new Map<string, { renewNow(): void }>();
  const runs = new Set<Promise<void>>();
  const claim = createClaim({
    client,
    completion,
    records,
    folders,
    programs,
    guards,
    leases,
    reach,
    works,
    instance,
    stateDir: config.stateDir,
    env: config.env,
    timing: config.timing,
    metadataBytes: config.metadataBytes,
    drain: drain.signal,
    worker: config.name,
    pool: config.pool,
    manifestKey,
  });
  const counted = (run: Run): Promise<void> => {
    const running = run().finally(() => {
      runs.delete(running);
      ownEnd.changed();
    });
    runs.add(running);
    ownEnd.changed();
    return running;
  };
  const verifier = createVerifier({
    client,
    completion,
    reach,
    works,
    env: config.env,
    secretsDir: config.secretsDir,
    metadataBytes: config.metadataBytes,
    timing: config.timing,
    leaving: leaving.signal,
    worker: config.name,
    pool: config.pool,
    start: counted,
    onFree: () => presence?.changed(),
  });
  const broker = stack.use(await connectBroker({ url: config.amqpUrl, connectionName: config.name, log: brokerLog }));
  const startConsuming = () =>
    startConsumer(broker, {
      namespace: config.amqpNamespace,
      pool: config.pool,
      slots: config.slots,
      mostRuns: config.mostTasks,
      log: brokerLog,
      onUnreadable: messageUnreadable,
      async claim(command, delivery) {
        const run = await claim(command, delivery);
        return run && (() => counted(run));
      },
    });
  // Without a br nothing can be run, and whoever has one should be asked.
  let consumer: Consumer | undefined;
  const ownEnd = stack.use(
    watchOwnEnd({
      idleMs: config.idleMs,
      runs,
      tookAll: () => consumer?.tookAll ?? false,
      stopTaking: async () => consumer?.stop(),
    }),
  );
  void programs.oneUsable.then(() => {
    if (leaving.signal.aborted) return;
    consumer = startConsuming();
    presence?.changed();
  });
  startCancelListener(broker, {
    namespace: config.amqpNamespace,
    log: brokerLog,
    // The message is only a hint: the renewal asks the document, and a report of the presence for what waits.
    onCancel({ kind, id }) {
      const waits = kind === CommandKind.COMMAND_KIND_CHECK || kind === CommandKind.COMMAND_KIND_VERIFICATION;
      if (!waits) return leases.get(id)?.renewNow();
      if (kind === CommandKind.COMMAND_KIND_VERIFICATION) verifier.changed(id);
      presence?.changed();
    },
  });
  const checking = new Set<string>();
  // Beside the slots: a probe is small, and one whose worker is busy for hours is worth asking, too.
  const check = async (id: string): Promise<void> => {
    if (checking.has(id) || leaving.signal.aborted) return;
    checking.add(id);
    try {
      const run = await claim({ kind: CommandKind.COMMAND_KIND_CHECK, id }, { requestId: '', trace: {} });
      if (run) await counted(run);
    } catch (error) {
      log.warn({ error, checkId: id }, 'a check could not be done');
    } finally {
      checking.delete(id);
    }
  };
  const reporter = startPresence({
    client,
    callMs: config.timing.callMs,
    report: () => ({
      worker: config.name,
      host: hostname(),
      instance,
      pool: config.pool,
      slots: consumer ? config.slots : 0,
      freeSlots: consumer?.ready && !consumer.tookAll ? Math.max(0, config.slots - consumer.busy) : 0,
      brVersions: [...new Set(programs.usable().map(({ version }) => version))],
      running: works.now(),
      draining: leaving.signal.aborted,
      outOfReach: reach.outOfReach(),
      // One that ends by itself would give it back half done.
      freeToVerify: stays && verifier.isFree,
    }),
    onCheck: (id) => void check(id),
    onVerifications: (backupIds) => stays && void verifier.offered(backupIds),
  });
  presence = stack.use(reporter);
  const operations = stack.use(
    await startOperationsListener({
      host: config.operationsHost,
      port: config.operationsPort,
      log,
      remarks: { storages: () => reach.remark() },
      ready: {
        rabbitmq: () => broker.check(),
        br: () => programs.check(),
        consumer() {
          if (!consumer?.ready) throw new Error('the worker does not consume yet');
        },
        'backup-service': () => client.waitForReady(READY_MS),
      },
    }),
  );
  const stopMs = LAST_WORDS_MS + 2 * config.timing.graceMs;
  stack.defer(async () => {
    leaving.abort(new Error('this worker is stopping'));
    operations.stopping(config.drainMs > 0 ? 'draining' : 'stopping');
    reporter.changed();
    await consumer?.stop();
    if (config.drainMs > 0) {
      drainBegan(runs.size, config.drainMs / 1_000);
      const why = await drained({
        runs,
        forMs: config.drainMs,
        hurry: hurry.signal,
        ask: reporter.changed,
        heardAt: reporter.heardAt,
        lostMs: config.timing.guardMs,
      });
      drainEnded(why, runs.size);
    }
    operations.stopping('stopping');
    drain.abort(new Error('this worker is stopping'));
    await reporter.lastWords();
    const lastWords = setTimeout(() => giveUp.abort(), stopMs);
    await Promise.allSettled(runs);
    clearTimeout(lastWords);
    giveUp.abort();
    await reporting;
  });
  const owned = stack.move();
  return {
    operationsPort: operations.port,
    drainMs: config.drainMs,
    finished: ownEnd.reached,
    stopMs: stopMs + STOP_MARGIN_MS,
    hurry() {
      if (drain.signal.aborted || config.drainMs === 0) return false;
      hurry.abort();
      return true;
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Reports runs whose worker died before it could: their paths may hold files that nobody knows of. */
async function reportStrays(
  unreported: readonly RunRecord[],
  completion: TaskCompletion,
  records: RunRecords,
): Promise<void> {
  for (const { backupId, claim, fence, path } of unreported) {
    const task = TaskRef.create({ backupId, claim, fence: BigInt(fence) });
    strayReported({ requestId: '', backupId }, path);
    if ((await completion.stray(task, path, '')) !== 'unanswered') await records.remove(claim);
  }
}
