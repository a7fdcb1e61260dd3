import type { BackupStore } from '../backup-store.ts';
import type { CommandPublisher } from '../command-publisher.ts';
import type { Dispatcher } from '../dispatcher.ts';
import type { RegistryStore } from '../registry-store.ts';

/** What the handlers of this service work with. */
export interface Dependencies {
  readonly store: BackupStore;
  readonly registry: RegistryStore;
  readonly dispatcher: Dispatcher;
  readonly publisher: CommandPublisher;
  /** Database time. */
  readonly now: () => Date;
  /** From the request to the moment a backup is given up. */
  readonly deadlineMs: number;
}
