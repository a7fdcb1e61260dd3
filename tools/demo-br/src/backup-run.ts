import type { GivenFlags } from './arguments.ts';
import type { BackupOptions } from './backup-options.ts';
import type { Collector } from './collector.ts';
import type { Crypter } from './crypter.ts';
import type { Dialect } from './dialect.ts';
import type { Ledger } from './ledger.ts';
import type { Log } from './log.ts';
import type { ProgressPlace } from './progress.ts';
import type { BackupSource } from './regions.ts';
import type { Script } from './script.ts';
import type { Storage } from './storage.ts';

/** A run before its time is known, as of which it reads the cluster. */
export interface StartedBackup extends Omit<BackupRun, 'source'> {
  readonly newCollation: boolean;
  readonly readSource: (at: bigint) => Promise<BackupSource>;
}

/** What a run works with. */
export interface BackupRun {
  readonly flags: GivenFlags;
  readonly options: BackupOptions;
  readonly dialect: Dialect;
  readonly storage: Storage;
  readonly source: BackupSource;
  readonly crypter: Crypter;
  readonly script: Script;
  readonly log: Log;
  readonly progress: ProgressPlace;
  readonly collector: Collector;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
}
