/**
 * Knows from what `br` prints that it waits for a TiKV that is down or frozen: from 8.1 on it goes round after round without
 * one, and says so in its log alone.
 *
 * It waits from the first line that says so, until a whole round passes without one, or there is progress. Where nothing is
 * said of it for a long time it has gone on to something else.
 */
import type { Stall } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { LogLine } from './output.ts';

export interface StallWatch extends Disposable {
  /** A log line that may be about it. */
  saw(line: LogLine): void;
  /** There was progress. */
  goesOn(): void;
}

const NOT_ALIVE = 'store not alive, skip backup it in this round';
const NO_REPLICA = 'no replica available';
/** In the words of 8.5.0, and of those after it. */
const ROUNDS = ['This round of backup starts', 'backup round start'];
const SILENCE_MS = 5 * 60_000;
/** What the fields of BR and of TiKV's client call the id of a store. */
const STORE_FIELDS = ['store', 'storeID', 'store-id', 'store_id'];
const REPLICA = /store: (\d+),[^\]};]*?store-liveness-state: (\w+)/g;

/** Whether a line is worth reading for this. */
export const mayTellOfStall = (line: string): boolean =>
  [NOT_ALIVE, NO_REPLICA, ...ROUNDS].some((words) => line.includes(words));

/** @param report called with what it waits for, to be asked for each time that it is reported; undefined when it goes on */
export function watchForStalls(report: (stall: (() => Stall) | undefined) => void, silenceMs = SILENCE_MS): StallWatch {
  let waiting: { readonly store: string; readonly since: number } | undefined;
  let inThisRound = false;
  let silence: NodeJS.Timeout | undefined;

  const goesOn = (): void => {
    clearTimeout(silence);
    inThisRound = false;
    if (!waiting) return;
    waiting = undefined;
    report(undefined);
  };
  const waits = (store: string): void => {
    inThisRound = true;
    clearTimeout(silence);
    silence = setTimeout(goesOn, silenceMs);
    // A line that names the store says more than one that does not.
    if (waiting && (store === '' || waiting.store === store)) return;
    const since = waiting?.since ?? performance.now();
    waiting = { store, since };
    const message =
      store === ''
        ? 'br waits for a TiKV that is down or does not answer, and does not say which: look at the stores in PD. It goes on by itself once that TiKV is back.'
        : `br waits for TiKV store ${store}, which is down or does not answer. It goes on by itself once that TiKV is back.`;
    report(() => ({ code: 'STORE_AWAY', message, store, seconds: (performance.now() - since) / 1_000 }));
  };
  return {
    saw(line) {
      if (ROUNDS.some((words) => line.message.startsWith(words))) {
        if (!inThisRound) goesOn();
        inThisRound = false;
      } else if (line.message.includes(NOT_ALIVE) || line.message.includes(NO_REPLICA)) waits(storeOf(line));
    },
    goesOn,
    [Symbol.dispose]: goesOn,
  };
}

/** The store that a line names as the one that is away; empty where it names none. */
function storeOf({ fields }: LogLine): string {
  for (const name of STORE_FIELDS) if (/^\d+$/.test(fields.get(name) ?? '')) return fields.get(name) ?? '';
  const texts = [...fields.values()].join(' ');
  for (const [, store = '', liveness] of texts.matchAll(REPLICA)) if (liveness !== 'reachable') return store;
  return /\bstore (?:id )?(\d+)/.exec(texts)?.[1] ?? '';
}
