import { connectBroker } from '@tidemark/messaging/connection';
import { startPublisher } from '@tidemark/messaging/publisher';
import { openDatabase } from '@tidemark/mongo/database';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { openTransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { startLoop } from '@tidemark/service-kit/loop';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { ATTEMPT_OUTPUT_INDEXES, createAttemptOutputStore } from './attempt-output-store.ts';
import { AUDIT_INDEXES, createAuditStore } from './audit-store.ts';
import { BACKUP_INDEXES, createBackupStore } from './backup-store.ts';
import { createBackupChanges } from './changed-backups.ts';
import { createCommandPublisher } from './command-publisher.ts';
import type { BackupServiceConfig } from './config.ts';
import { startDispatcher } from './dispatcher.ts';
import {
  backupChanged,
  checkChanged,
  damagedCounted,
  deletionsCounted,
  endedCounted,
  goodCounted,
  poolsCounted,
  storagesCounted,
  verificationChanged,
} from './events.ts';
import { createFinishedBackups, FINISHED_INDEXES } from './finished-backups.ts';
import { logBackupChanged } from './log/events.ts';
import { createLogStore, LOG_INDEXES } from './log/log-store.ts';
import { logsCounted } from './log/metrics.ts';
import { retainLogs } from './log/retain-logs.ts';
import { createTruncationStore } from './log/truncation-store.ts';
import { brokerLog, log, storeLog } from './logger.ts';
import { createMarkerStore } from './marker-store.ts';
import { createOccupants, OCCUPANT_INDEXES } from './occupants.ts';
import { createPoolLoads, POOL_LOAD_INDEXES } from './pool-load-store.ts';
import { createPresenceStore, PRESENCE_INDEXES } from './presence-store.ts';
import { createQuarantines } from './quarantines.ts';
import { lossOfRemoval } from './recovery/loss-of-removal.ts';
import { isNeededAsBase } from './recovery/needed-as-base.ts';
import { createRegisteredPds } from './registered-pds.ts';
import { createRegistryStore, REGISTRY_INDEXES } from './registry-store.ts';
import { openRestoresCounted, restoreChanged } from './restore/events.ts';
import { countOpen } from './restore/open-restores.ts';
import { createRestoreStore, RESTORE_INDEXES } from './restore/restore-store.ts';
import { auditService } from './rpc/audit-service.ts';
import { backupService } from './rpc/backup-service.ts';
import type { Dependencies } from './rpc/context.ts';
import { executorService } from './rpc/executor-service.ts';
import { logBackupService } from './rpc/log-backup-service.ts';
import { registryService } from './rpc/registry-service.ts';
import { restoreService } from './rpc/restore-service.ts';
import { createSearchStore, SEARCH_INDEXES } from './search-store.ts';
import { createSlots, SLOT_INDEXES } from './slots.ts';
import { CHECK_INDEXES, createStorageCheckStore } from './storage-check-store.ts';
import { createStoragePlaces } from './storage-places.ts';
import { createTokenStore } from './token-store.ts';
import { createVerificationStore, VERIFICATION_INDEXES } from './verification-store.ts';

const NAME = 'backup-service';
/** How long checks of storages are kept. */
const CHECKS_KEPT_MS = 86_400_000;
/** How often old output, checks and audit entries are looked for. */
const RETENTION_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** A look at a log backup, and its act, take no renewal: they are over, or lost, after so many leases. */
const LOG_LEASES = 3;
/** How often what no point of a horizon needs is looked for in logs: backups pass a horizon one by one. */
const RETAIN_LOGS_MS = 600_000;
/** How often deletions that are not done, ends of the last day, damaged backups and open restores are counted for the metrics. */
const COUNT_MS = 15_000;
/** All good backups, and all log backups, are looked through so seldom that it takes no more than this part of the time. */
const LOOKING_THROUGH = 0.02;
/** How often the PDs of all registrations are read anew (RP4). */
const PDS_MS = 600_000;
/** How often clusters of earlier versions are looked for, which cannot be searched yet. */
const KEYS_MS = 600_000;
/** How often what each pool has to do is counted, which whoever adds workers waits for. */
const LOAD_MS = 5_000;

export interface RunningBackupService extends AsyncDisposable {
  readonly port: number;
  readonly operationsPort: number;
}

/**
 * Starts backup-service: it comes up whether or not the database and the broker are there, says through `/readyz` what
 * is missing, and recovers by itself.
 */
export async function startBackupService(config: BackupServiceConfig): Promise<RunningBackupService> {
  await using stack = new AsyncDisposableStack();
  const certificate = stack.use(openTransportSecurity(config, { log }));
  const database = stack.use(
    await openDatabase({ url: config.mongodbUrl, database: config.mongodbDatabase, appName: NAME, log: storeLog }, [
      ...BACKUP_INDEXES,
      ...SLOT_INDEXES,
      ...OCCUPANT_INDEXES,
      ...FINISHED_INDEXES,
      ...REGISTRY_INDEXES,
      ...ATTEMPT_OUTPUT_INDEXES,
      ...CHECK_INDEXES,
      ...RESTORE_INDEXES,
      ...VERIFICATION_INDEXES,
      ...LOG_INDEXES,
      ...PRESENCE_INDEXES,
      ...POOL_LOAD_INDEXES,
      ...SEARCH_INDEXES,
      ...AUDIT_INDEXES,
    ]),
  );
  const { now } = database;
  const broker = stack.use(await connectBroker({ url: config.amqpUrl, connectionName: NAME, log: brokerLog }));
  const publisher = createCommandPublisher(
    startPublisher(broker, { namespace: config.amqpNamespace, log: brokerLog }),
    config.timing,
  );
  const quarantines = createQuarantines();
  const slots = createSlots(database.db);
  const occupants = createOccupants(database.db);
  const finished = createFinishedBackups(database.db);
  const presences = createPresenceStore(database.db, quarantines.workers, now);
  const registry = createRegistryStore(database.db);
  const pds = createRegisteredPds(database.db.collection('clusters'), now);
  const markers = createMarkerStore(database.db, now);
  const places = createStoragePlaces(database.db, registry.storages, markers, quarantines.placedBackups);
  const logs = createLogStore(database.db, {
    now,
    limits: { ...config.timing, leaseMs: LOG_LEASES * config.timing.leaseMs },
    quarantine: quarantines.toldLogs,
    onChanged: logBackupChanged,
  });
  const truncations = createTruncationStore(database.db, {
    now,
    limits: config.timing,
    finished,
    onChanged: logBackupChanged,
  });
  const baseCheck = { logOf: logs.get, finished, now };
  const store = createBackupStore(database.db, {
    now,
    limits: config.timing,
    slots,
    occupants,
    finished,
    isNeededAsBase: (backup, signal) => isNeededAsBase(backup, baseCheck, signal),
    lossOfRemoval: (backup, signal) => lossOfRemoval(backup, baseCheck, signal),
    trashDays: async (id, signal) => (await registry.storages.get(id, signal))?.trashDays ?? 0,
    presences,
    async mayUseStorage({ clusterId, storage: { id } }, signal) {
      const storage = await registry.storages.get(id, signal);
      return !storage || registry.mayUse(clusterId, storage, signal);
    },
    places,
    onChanged: backupChanged,
  });
  const { restoreRestMs: restMs, restoreLossRestMs: lossRestMs, restoreDeadlineMs: deadlineMs } = config.timing;
  const restoreLimits = { ...config.timing, restMs, lossRestMs, deadlineMs };
  const restores = createRestoreStore(database.db, {
    now,
    limits: restoreLimits,
    slots,
    presences,
    quarantine: quarantines.countedRestores,
    onChanged: restoreChanged,
  });
  const checks = createStorageCheckStore(database.db, { now, limits: config.timing, onChanged: checkChanged });
  const verifications = createVerificationStore(database.db, {
    now,
    limits: config.timing,
    perStorage: config.verificationsPerStorage,
    onChanged: verificationChanged,
  });
  const output = createAttemptOutputStore(database.db);
  const tokens = createTokenStore(database.db, now);
  const audit = createAuditStore(database.db, now);
  const found = createSearchStore(database.db);
  const dispatcher = stack.use(
    startDispatcher({
      store,
      restores,
      slots,
      occupants,
      checks,
      verifications,
      logs,
      truncations,
      poolOf: async (clusterId, signal) => (await registry.clusters.get(clusterId, signal))?.pool,
      publisher,
      quarantines,
      now,
      timing: config.timing,
    }),
  );
  stack.use(
    startLoop({
      name: 'retention of logs',
      everyMs: RETAIN_LOGS_MS,
      log: storeLog,
      async run(signal) {
        await retainLogs(
          {
            ...{ truncations, store, finished, dispatcher, now },
            ...{
              retentionDeletions: config.retentionDeletions,
              quarantine: quarantines.keptLogs,
              bases: quarantines.keptBases,
            },
          },
          signal,
        );
        return false;
      },
    }),
  );
  stack.use(
    startLoop({
      name: 'retention of output, checks and audit entries',
      everyMs: RETENTION_MS,
      log: storeLog,
      async run(signal) {
        await output.removeBefore(new Date(now().getTime() - config.outputMs));
        await checks.removeBefore(new Date(now().getTime() - CHECKS_KEPT_MS), signal);
        await presences.removeStale(signal);
        await audit.removeBefore(new Date(now().getTime() - config.auditMs), signal);
        await audit.removeExcess(signal);
        return false;
      },
    }),
  );
  stack.use(
    startLoop({
      name: 'count of deletions, ends, damage and restores',
      everyMs: COUNT_MS,
      log: storeLog,
      async run(signal) {
        damagedCounted(await finished.countDamaged(signal));
        openRestoresCounted(countOpen(await restores.findOpen(signal), now()));
        deletionsCounted(await finished.countPendingDeletions(signal));
        endedCounted(await finished.countEnded(new Date(now().getTime() - DAY_MS), signal));
        return false;
      },
    }),
  );
  const lookThrough = (name: string, look: (signal: AbortSignal) => Promise<void>) => {
    let restsUntil = 0;
    return startLoop({
      name,
      everyMs: COUNT_MS,
      log: storeLog,
      async run(signal) {
        const begunAt = performance.now();
        if (begunAt < restsUntil) return false;
        await look(signal);
        const endedAt = performance.now();
        restsUntil = endedAt + (endedAt - begunAt) / LOOKING_THROUGH;
        return false;
      },
    });
  };
  stack.use(lookThrough('count of good backups', async (signal) => goodCounted(await finished.goodByStorage(signal))));
  stack.use(lookThrough('count of log backups', async (signal) => logsCounted(await logs.toldOfAll(signal))));
  stack.use(
    startLoop({
      name: 'search keys of clusters',
      everyMs: KEYS_MS,
      log: storeLog,
      run: (signal) => found.addKeys(signal),
    }),
  );
  stack.use(
    startLoop({
      name: 'PDs of registered clusters',
      everyMs: PDS_MS,
      log: storeLog,
      async run(signal) {
        await pds.refresh(signal);
        return false;
      },
    }),
  );
  const loads = createPoolLoads(database.db, presences, quarantines, now);
  stack.use(
    startLoop({
      name: 'load of pools and storages',
      everyMs: LOAD_MS,
      log: storeLog,
      async run(signal) {
        const { pools, storages } = await loads(signal);
        poolsCounted(pools);
        storagesCounted(storages);
        return false;
      },
    }),
  );
  const dependencies: Dependencies = {
    store,
    restores,
    restoreLimits,
    slots,
    occupants,
    finished,
    changes: createBackupChanges(database.db),
    output,
    checks,
    verifications,
    logs,
    truncations,
    presences,
    tokens,
    found,
    audit,
    registry,
    pds,
    markers,
    places,
    quarantines,
    dispatcher,
    publisher,
    now,
    limits: config.timing,
    deadlineMs: config.timing.deadlineMs,
    retentionDeletions: config.retentionDeletions,
    exactTotal: config.exactTotal,
  };
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
        backupService(dependencies),
        restoreService(dependencies),
        logBackupService(dependencies),
        executorService(dependencies),
        registryService(dependencies),
        auditService(dependencies),
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
        rabbitmq: () => broker.check(),
        dispatcher: () => dispatcher.check(),
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
