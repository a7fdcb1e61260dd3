import type { ProgressLine } from './output.ts';

/** Notices a `br` that goes on without getting on: newer versions retry for ever (br-contract 13, "Hangs"). */
export interface Watchdog extends Disposable {
  /** A progress line was printed; only one that says something new counts. Answers whether it did. */
  saw(line: ProgressLine): boolean;
}

/**
 * Starts watching.
 *
 * @param stallMs without news; far above the two minutes between progress lines
 * @param onStall called once
 */
export function startWatchdog(stallMs: number, onStall: () => void): Watchdog {
  let timer = setTimeout(onStall, stallMs);
  let last = '';
  return {
    saw({ step, percent, count }) {
      const news = `${step} ${percent} ${count}`;
      if (news === last) return false;
      last = news;
      clearTimeout(timer);
      timer = setTimeout(onStall, stallMs);
      return true;
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
