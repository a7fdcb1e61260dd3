import type { Authenticator } from './authenticate.ts';
import { type Crowd, createCrowd } from './crowd.ts';
import { createDoor, type Door } from './door.ts';
import type { Limits } from './limits.ts';
import { createStreamGate, type StreamGate } from './rest/stream.ts';
import { createStrangers } from './strangers.ts';

/** What the listeners of a gateway have in common: a bound holds for all of them together. */
export interface Shared extends Disposable {
  readonly crowd: Crowd;
  readonly letIn: Door;
  readonly streams: StreamGate;
}

export function createShared(authenticator: Authenticator, limits: Limits): Shared {
  const crowd = createCrowd(limits);
  return {
    crowd,
    letIn: createDoor(authenticator, createStrangers(limits.strangers)),
    streams: createStreamGate(limits),
    [Symbol.dispose]: () => crowd[Symbol.dispose](),
  };
}
