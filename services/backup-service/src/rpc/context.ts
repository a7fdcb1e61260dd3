import type { AttemptOutputStore } from '../attempt-output-store.ts';
import type { AuditStore } from '../audit-store.ts';
import type { BackupStore } from '../backup-store.ts';
import type { BackupChanges } from '../changed-backups.ts';
import type { CommandPublisher } from '../command-publisher.ts';
import type { Limits } from '../decide/command.ts';
import type { Dispatcher } from '../dispatcher.ts';
import type { FinishedBackups } from '../finished-backups.ts';
import type { LogStore } from '../log/log-store.ts';
import type { TruncationStore } from '../log/truncation-store.ts';
import type { MarkerStore } from '../marker-store.ts';
import type { Occupants } from '../occupants.ts';
import type { PresenceStore } from '../presence-store.ts';
import type { Quarantines } from '../quarantines.ts';
import type { RegisteredPds } from '../registered-pds.ts';
import type { RegistryStore } from '../registry-store.ts';
import type { RestoreLimits } from '../restore/decide/command.ts';
import type { RestoreStore } from '../restore/restore-store.ts';
import type { SearchStore } from '../search-store.ts';
import type { Slots } from '../slots.ts';
import type { StorageCheckStore } from '../storage-check-store.ts';
import type { StoragePlaces } from '../storage-places.ts';
import type { TokenStore } from '../token-store.ts';
import type { VerificationStore } from '../verification-store.ts';

/** What the handlers of this service work with. */
export interface Dependencies {
  readonly store: BackupStore;
  readonly restores: RestoreStore;
  readonly logs: LogStore;
  readonly truncations: TruncationStore;
  readonly slots: Slots;
  readonly occupants: Occupants;
  readonly finished: FinishedBackups;
  readonly changes: BackupChanges;
  readonly output: AttemptOutputStore;
  readonly registry: RegistryStore;
  readonly pds: RegisteredPds;
  readonly markers: MarkerStore;
  readonly places: StoragePlaces;
  readonly quarantines: Quarantines;
  readonly checks: StorageCheckStore;
  readonly verifications: VerificationStore;
  readonly presences: PresenceStore;
  readonly tokens: TokenStore;
  readonly found: SearchStore;
  readonly audit: AuditStore;
  readonly dispatcher: Dispatcher;
  readonly publisher: CommandPublisher;
  /** Database time. */
  readonly now: () => Date;
  readonly limits: Limits;
  readonly restoreLimits: RestoreLimits;
  /** From the request to the moment a backup is given up. */
  readonly deadlineMs: number;
  /** How many removals retention may have under way. */
  readonly retentionDeletions: number;
  /** Up to how many backups the total of a list is exact. */
  readonly exactTotal: number;
}
