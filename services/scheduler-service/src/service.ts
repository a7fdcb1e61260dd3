import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { openDatabase } from '@tidemark/mongo/database';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { openTransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { type Loop, startLoop } from '@tidemark/service-kit/loop';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { createActivities } from './activities.ts';
import { openBackends } from './backends.ts';
import type { SchedulerConfig } from './config.ts';
import { startDrillLoop } from './drill/drill-loop.ts';
import { createDrillCount } from './drill/drill-metrics.ts';
import { createDrillStore, DRILL_INDEXES } from './drill/drill-store.ts';
import { startDueLoop } from './due-loop.ts';
import { createFleet } from './fleet.ts';
import { createFleetFeed } from './fleet-feed.ts';
import { startFleetLoop } from './fleet-loop.ts';
import { fleetLog, log, notificationLog, storeLog } from './logger.ts';
import { createOutcomeCount, tellOf } from './metrics.ts';
import { CONDITION_INDEXES } from './notification/condition-store.ts';
import { DELIVERY_INDEXES } from './notification/delivery-store.ts';
import { startNotifications } from './notification/notifications.ts';
import { createOccurrenceStore, OCCURRENCE_INDEXES } from './occurrence-store.ts';
import { createQuarantines } from './quarantines.ts';
import { drillService } from './rpc/drill-service.ts';
import { fleetService } from './rpc/fleet-service.ts';
import { notificationService } from './rpc/notification-service.ts';
import { occurrenceService } from './rpc/occurrence-service.ts';
import { retentionService } from './rpc/retention-service.ts';
import { startWindowEndLoop } from './window-end.ts';

const NAME = 'scheduler-service';
/** How often old occurrences are looked for. */
const OLD_OCCURRENCES_MS = 3_600_000;
/** All drills are read for their metrics no more often. */
const LEAST_DRILL_COUNT_MS = 1_000;

export interface RunningScheduler extends AsyncDisposable {
  readonly port: number;
  readonly operationsPort: number;
}

/** Starts scheduler-service; any number of copies may run, and there is no leader among them. */
export async function startScheduler(config: SchedulerConfig): Promise<RunningScheduler> {
  await using stack = new AsyncDisposableStack();
  const certificate = stack.use(openTransportSecurity(config, { log }));
  const database = stack.use(
    await openDatabase({ url: config.mongodbUrl, database: config.mongodbDatabase, appName: NAME, log: storeLog }, [
      ...OCCURRENCE_INDEXES,
      ...CONDITION_INDEXES,
      ...DELIVERY_INDEXES,
      ...DRILL_INDEXES,
    ]),
  );
  const backends = stack.use(openBackends(config, certificate));
  const store = createOccurrenceStore(database.db);
  const { now } = database;
  const quarantines = createQuarantines();
  const dueLoop = stack.use(startDueLoop({ ...config, store, backends, quarantines, now }));
  const windowEndLoop = stack.use(startWindowEndLoop({ ...config, store, backends, quarantines, now }));
  const drills = createDrillStore(database.db);
  const networks = config.notificationNetworks;
  stack.use(startDrillLoop({ ...config, store: drills, networks, backends, quarantines, now }));
  const drillCount = stack.use(createDrillCount({ store: drills, quarantines, now }));
  stack.use(
    startLoop({
      name: 'count of drills',
      everyMs: Math.max(config.refreshMs, LEAST_DRILL_COUNT_MS),
      log: storeLog,
      async run(signal) {
        await drillCount.refresh(signal);
        return false;
      },
    }),
  );
  const fleet = createFleet({ backends, quarantines, proofs: drills.findProofs, now });
  stack.use(tellOf(fleet, now));
  stack.use(startFleetLoop({ ...config, fleet, backends, quarantines, now }));
  const feed = createFleetFeed({ fleet, backends, now });
  stack.use(
    startLoop({
      name: 'changes of the fleet',
      everyMs: config.watchMs,
      log: fleetLog,
      async run(signal) {
        await feed.round(signal);
        return false;
      },
    }),
  );
  const outcomes = createOutcomeCount(store, now);
  stack.use(
    startLoop({
      name: 'count of windows',
      everyMs: config.refreshMs,
      log: storeLog,
      async run(signal) {
        await outcomes.refresh(signal);
        return false;
      },
    }),
  );
  stack.use(
    startLoop({
      name: 'retention of occurrences',
      everyMs: OLD_OCCURRENCES_MS,
      log: storeLog,
      async run() {
        const before = new Date(now().getTime() - config.occurrencesMs);
        await store.removeBefore(before);
        await drills.removeRunsBefore(before);
        return false;
      },
    }),
  );
  const notifications = stack.use(
    startNotifications({
      ...config,
      ...{ db: database.db, occurrences: store, backends, fleet, dueLoop, quarantines, now },
      log: notificationLog,
      worker: `${hostname()}-${randomUUID().slice(0, 8)}`,
    }),
  );
  const server = stack.use(
    await startGrpcServer({
      host: config.host,
      port: config.port,
      admission: config.admission,
      ready: database.checks,
      beforeCalls: database.guarded,
      token: config.serviceToken,
      certificate,
      log,
      services: [
        occurrenceService({ store, backends, quarantines, now, exactTotal: config.exactTotal }),
        retentionService({ backends, now }),
        fleetService({ fleet, feed, activities: createActivities({ backends, now }), backends, now }),
        notificationService({ ...notifications, quarantines, now }),
        drillService({ drills, backends, quarantines, now }),
      ],
    }),
  );
  const operations = stack.use(
    await startOperationsListener({
      host: config.operationsHost,
      port: config.operationsPort,
      log,
      ready: {
        ...database.checks,
        'due-loop': healthy(dueLoop, 'due windows could not be read of late'),
        'window-end-loop': healthy(windowEndLoop, 'windows that closed could not be attended to of late'),
      },
    }),
  );
  stack.defer(() => operations.stopping());
  const owned = stack.move();
  return {
    port: server.port,
    operationsPort: operations.port,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

function healthy(loop: Loop, trouble: string): () => void {
  return () => {
    if (loop.healthySince() === undefined) throw new Error(trouble);
  };
}
