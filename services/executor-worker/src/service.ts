import { startCancelListener } from '@tidemark/messaging/cancel-listener';
import { connectBroker } from '@tidemark/messaging/connection';
import { type Consumer, startConsumer } from '@tidemark/messaging/consumer';
import {
  type ExecutorServiceServer,
  ExecutorServiceService,
  TaskRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import { openTransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { brEnvironment } from './br/command.ts';
import { openGuards } from './br/process.ts';
import { openPrograms } from './br/programs.ts';
import type { WorkerConfig } from './config.ts';
import { createEndOfTask, type EndOfTask } from './end-of-task.ts';
import { messageUnreadable, strayReported } from './events.ts';
import { createClaim } from './handle-command.ts';
import type { Lease } from './lease-keeper.ts';
import { brokerLog, log } from './logger.ts';
import { openRunRecords, type RunRecord, type RunRecords } from './run-records.ts';

const READY_MS = 1_000;
/** How long a stopping worker goes on trying to tell how its tasks ended. */
const LAST_WORDS_MS = 15_000;

export interface RunningWorker extends AsyncDisposable {
  readonly operationsPort: number;
}

/**
 * Starts a worker: first it ends what an earlier one left running on this host, then it takes tasks.
 * Disposing it drains: nothing new is claimed, what runs is stopped and given back.
 */
export async function startWorker(config: WorkerConfig): Promise<RunningWorker> {
  const records = await openRunRecords(config.stateDir);
  const unreported = await records.sweep();
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
  const drain = new AbortController();
  const giveUp = new AbortController();
  const end = createEndOfTask(client, { callMs: config.timing.callMs, giveUp: giveUp.signal });
  const reporting = reportStrays(unreported, end, records);

  const leases = new Map<string, Lease>();
  const runs = new Set<Promise<void>>();
  const claim = createClaim({
    client,
    end,
    records,
    programs,
    guards,
    leases,
    env: config.env,
    timing: config.timing,
    drain: drain.signal,
    worker: config.name,
    pool: config.pool,
  });
  const broker = stack.use(await connectBroker({ url: config.amqpUrl, connectionName: config.name, log: brokerLog }));
  const startConsuming = () =>
    startConsumer(broker, {
      namespace: config.amqpNamespace,
      pool: config.pool,
      slots: config.slots,
      log: brokerLog,
      onUnreadable: messageUnreadable,
      async claim(command, delivery) {
        const run = await claim(command, delivery);
        return (
          run &&
          (() => {
            const running = run().finally(() => runs.delete(running));
            runs.add(running);
            return running;
          })
        );
      },
    });
  // Without a br nothing can be run, and whoever has one should be asked.
  let consumer: Consumer | undefined;
  void programs.oneUsable.then(() => {
    if (!drain.signal.aborted) consumer = startConsuming();
  });
  startCancelListener(broker, {
    namespace: config.amqpNamespace,
    log: brokerLog,
    // The message is only a hint: the renewal asks the document.
    onCancel: ({ id }) => leases.get(id)?.renewNow(),
  });
  const operations = stack.use(
    await startOperationsListener({
      host: config.operationsHost,
      port: config.operationsPort,
      log,
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
  stack.defer(async () => {
    operations.stopping();
    await consumer?.stop();
    drain.abort(new Error('this worker is stopping'));
    const lastWords = setTimeout(() => giveUp.abort(), LAST_WORDS_MS + 2 * config.timing.graceMs);
    await Promise.allSettled(runs);
    clearTimeout(lastWords);
    giveUp.abort();
    await reporting;
  });
  const owned = stack.move();
  return { operationsPort: operations.port, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

/** Tells of runs whose worker died before it could: their paths may hold files that nobody knows of. */
async function reportStrays(unreported: readonly RunRecord[], end: EndOfTask, records: RunRecords): Promise<void> {
  for (const { backupId, claim, fence, path } of unreported) {
    const task = TaskRef.create({ backupId, claim, fence: BigInt(fence) });
    strayReported({ requestId: '', backupId }, path);
    if ((await end.stray(task, path, '')) !== 'unanswered') await records.remove(claim);
  }
}
