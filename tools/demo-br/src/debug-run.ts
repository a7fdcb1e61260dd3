import type { GivenFlags } from './arguments.ts';
import type { Crypter } from './crypter.ts';
import type { Storage } from './storage.ts';

/** What a command of `br debug` works with. */
export interface DebugRun {
  readonly flags: GivenFlags;
  readonly storage: Storage;
  readonly crypter: Crypter;
}
