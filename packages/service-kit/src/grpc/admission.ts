/**
 * Which calls a server begins, and which it refuses at once because it could not answer them in time. Without it a crowd
 * shares the database until nobody of it is answered before his deadline.
 *
 * AD1. At most `atOnce` calls are under way. What has left its place (a call that only waits) is not counted.
 * AD2. Others wait, first come first served, where they will probably still be answered before their deadline, as far as
 *      the time tells that calls took lately. At most `waiting` of them.
 * AD3. A call whose deadline is nearly over is not begun. One that has waited for its turn is refused; one that comes so late
 *      says nothing of how much there is to do, and is told of its deadline.
 * AD4. Each place is given back exactly once, whatever becomes of its call.
 */
import { AppError } from '@tidemark/errors/app-error';
import { countRecent } from '../count-recent.ts';
import { counter, gauge } from '../metrics.ts';
import { retryAfterOverload } from '../retry-after.ts';

export interface AdmissionLimits {
  /** Calls under way at once. */
  readonly atOnce: number;
  /** Calls that wait for their turn. */
  readonly waiting: number;
}

/** What a call under way holds. */
export interface Place {
  /** Gives it back; nothing happens when that was done before. */
  leave(): void;
}

export interface Admission {
  /**
   * Resolves when the call may begin.
   *
   * @param timeLeftMs until the call's deadline
   * @param signal aborts when nobody waits for the call any more
   * @throws AppError `overloaded`; `deadline_exceeded` where hardly any time is left; the reason of the signal
   */
  enter(timeLeftMs: () => number, signal: AbortSignal): Promise<Place>;
}

interface Waiting {
  readonly timeLeftMs: () => number;
  readonly begin: () => void;
  readonly refuse: () => void;
}

/** Less than this before its deadline nothing is begun, in milliseconds. */
const TOO_LATE_MS = 20;
/** How much the newest call counts in what is typical. */
const NEWEST = 0.05;
/** A call may take as much longer than is typical, in mean deviations, as TCP gives a segment (RFC 6298 has four). */
const DEVIATIONS = 2;
/** Over how long refusals are counted, for the time after which to try again. */
const CROWD_MS = 1_000;

/** One for all: a stack takes time. */
const TOO_LATE = new AppError('deadline_exceeded', 'There is no time left for the call.');

const refusedCalls = counter('tidemark_grpc_server_refused_total', 'gRPC calls refused because of overload.', [
  'group',
]);
const underWayNow = gauge('tidemark_grpc_server_under_way', 'gRPC calls being answered, by group.', ['group']);
const waitingNow = gauge('tidemark_grpc_server_waiting', 'gRPC calls that wait for their turn, by group.', ['group']);

/**
 * An admission of its own for a group of calls.
 *
 * @param group names it in the metrics
 */
export function createAdmission(group: string, { atOnce, waiting }: AdmissionLimits): Admission {
  const queue = new Set<Waiting>();
  let underWay = 0;
  let typicalMs = 0;
  let deviationMs = 0;
  let ended = 0;
  const crowd = countRecent(CROWD_MS);

  function overloaded(): AppError {
    refusedCalls.inc({ group });
    const perSecond = typicalMs > 0 ? (atOnce * 1000) / typicalMs : Number.POSITIVE_INFINITY;
    return new AppError('overloaded', 'A part of Tidemark has more to do than it can just now; try again shortly.', {
      retryAfterMs: retryAfterOverload(crowd.add(), perSecond),
    });
  }

  function place(): Place {
    underWay += 1;
    underWayNow.set({ group }, underWay);
    const since = performance.now();
    let inside = true;
    return {
      leave() {
        if (!inside) return;
        inside = false;
        underWay -= 1;
        ended += 1;
        const part = Math.max(NEWEST, 1 / ended);
        const differsMs = performance.now() - since - typicalMs;
        deviationMs += part * (Math.abs(differsMs) - deviationMs);
        typicalMs += part * differsMs;
        underWayNow.set({ group }, underWay);
        next();
      },
    };
  }

  /** What a call that begins now may take. The first few, which find everything cold, do not tell how much calls differ. */
  const likelyMs = () => typicalMs + (ended < atOnce ? 0 : DEVIATIONS * deviationMs);

  function next(): void {
    for (const one of queue) {
      if (underWay >= atOnce) break;
      leaveQueue(one);
      if (one.timeLeftMs() < Math.max(TOO_LATE_MS, likelyMs())) one.refuse();
      else one.begin();
    }
  }

  function leaveQueue(one: Waiting): void {
    queue.delete(one);
    waitingNow.set({ group }, queue.size);
  }

  return {
    async enter(timeLeftMs, signal) {
      signal.throwIfAborted();
      if (timeLeftMs() < TOO_LATE_MS) throw TOO_LATE;
      if (underWay < atOnce) return place();
      const waitMs = ((queue.size + 1) / atOnce) * typicalMs;
      if (queue.size >= waiting || timeLeftMs() < waitMs + likelyMs()) throw overloaded();
      const { promise, resolve, reject } = Promise.withResolvers<Place>();
      const one: Waiting = {
        timeLeftMs,
        begin: () => resolve(place()),
        refuse: () => reject(overloaded()),
      };
      const abort = () => {
        leaveQueue(one);
        reject(signal.reason);
      };
      queue.add(one);
      waitingNow.set({ group }, queue.size);
      signal.addEventListener('abort', abort, { once: true });
      try {
        return await promise;
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
  };
}
