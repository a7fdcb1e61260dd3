import type { Backends } from '../backends.ts';

/** What the handlers of this service work with, beside a store. */
export interface Dependencies {
  readonly backends: Backends;
  /** Database time. */
  readonly now: () => Date;
}
