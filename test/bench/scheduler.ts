/**
 * The scheduler's round in this process. What is measured is one function and not the process around it, so this file
 * alone reaches into a service.
 */
import { join } from 'node:path';
import type { Stack } from '@tidemark/local-stack/stack';
import type { Db } from 'mongodb';
// biome-ignore-start lint/style/noRestrictedImports: see above
import { openBackends } from '../../services/scheduler-service/src/backends.ts';
import { toConfig } from '../../services/scheduler-service/src/config.ts';
import { attendToWindows } from '../../services/scheduler-service/src/due-loop.ts';
import { createOccurrenceStore, OCCURRENCE_INDEXES } from '../../services/scheduler-service/src/occurrence-store.ts';
import { createQuarantines } from '../../services/scheduler-service/src/quarantines.ts';
// biome-ignore-end lint/style/noRestrictedImports: see above

export interface Scheduler extends Disposable {
  /** What the loop does each time: looks for due windows, then for pending ones; whether more is to be done at once. */
  round(signal: AbortSignal): Promise<boolean>;
}

/** A scheduler that does nothing by itself, beside the other services of a stack. */
export async function openScheduler({ dataDir, process }: Stack, database: Db): Promise<Scheduler> {
  for (const { collection, keys } of OCCURRENCE_INDEXES) await database.collection(collection).createIndex(keys);
  const strategyService = process('strategy-service').address;
  const config = toConfig({
    TIDEMARK_MONGODB_URL: 'not used: the database is given',
    TIDEMARK_STRATEGY_SERVICE: strategyService,
    // Nothing is asked of it while nothing is due.
    TIDEMARK_BACKUP_SERVICE: strategyService,
    TIDEMARK_SERVICE_TOKEN_FILE: join(dataDir, 'secrets', 'service-token'),
  });
  const backends = openBackends(config);
  const dependencies = {
    ...config,
    backends,
    quarantines: createQuarantines(),
    store: createOccurrenceStore(database),
    now: () => new Date(),
  };
  return {
    round: (signal) => attendToWindows(dependencies, signal),
    [Symbol.dispose]: () => backends[Symbol.dispose](),
  };
}
