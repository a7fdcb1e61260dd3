import type { HandlerContext } from '@connectrpc/connect';

/** The time of a call that lasts for as long as its client likes. */
export interface StreamSlot extends Disposable {
  /** Aborts when the time of a stream is over, or the gateway stops; with the reason. */
  readonly end: AbortSignal;
}

/** Makes a stream of a call. @throws ConnectError when there are as many as there may be */
export type TakeStreamSlot = (context: HandlerContext) => StreamSlot;
