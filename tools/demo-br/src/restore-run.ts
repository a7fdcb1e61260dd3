import type { Collector } from './collector.ts';
import type { Crypter } from './crypter.ts';
import type { DemoCluster } from './demo-cluster.ts';
import type { Dialect } from './dialect.ts';
import type { Ledger } from './ledger.ts';
import type { Log } from './log.ts';
import type { ProgressPlace } from './progress.ts';
import type { RestoreOptions } from './restore-options.ts';
import type { Script } from './script.ts';
import type { Storage } from './storage.ts';

/** What a restore works with. */
export interface RestoreRun {
  readonly options: RestoreOptions;
  readonly dialect: Dialect;
  readonly storage: Storage;
  readonly crypter: Crypter;
  /** The cluster that is restored into. */
  readonly target: DemoCluster;
  readonly script: Script;
  readonly log: Log;
  readonly progress: ProgressPlace;
  readonly collector: Collector;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
}

/** A restore before the storage of its backup is open. */
export type StartedRestore = Omit<RestoreRun, 'storage'>;
