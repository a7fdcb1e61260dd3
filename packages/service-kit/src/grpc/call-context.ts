import type { Logger } from '../logging.ts';

/** What a handler knows about its call beside the request. */
export interface CallContext {
  /** Aborts when the caller went away, when the call's deadline has passed, or when the server gives up on stopping. */
  readonly signal: AbortSignal;
  /** How long until the call's deadline; `Infinity` if it has none. */
  timeLeftMs(): number;
  /**
   * Gives the call's place among those under way back: from now on it only waits for something that takes long. Of a
   * stream, which has no place, nothing.
   */
  leavePlace(): void;
  /** Id of the request that began outside; made here if the caller sent none. */
  readonly requestId: string;
  /** Of this call alone, and the same in each of its repeats; a client may send one request id with many. */
  readonly callId: string;
  /** Name of the token on whose behalf the call is made, or "internal". */
  readonly caller: string;
  /** Whether the caller may know of a cluster; what is not its own looks as if it were not there. */
  sees(clusterId: string): boolean;
  /** Logs with the request id. */
  readonly log: Logger;
}
