import { bootNow } from '../br/boot-clock.mjs';

/** What clocks may differ by without the machine having slept: one of them counts hundredths of a second. */
const SLEPT_MS = 1_000;

/** Both in milliseconds; only the first goes on while the machine sleeps. */
export interface Clocks {
  readonly sinceBoot: () => number;
  readonly monotonic: () => number;
}

const SYSTEM: Clocks = { sinceBoot: bootNow, monotonic: () => performance.now() };

/**
 * Announces a start, and does so again where the machine slept meanwhile: the answer then is about a lease that may be over.
 *
 * @param announce answers until when `br` may start, by a clock that stands still while the machine sleeps
 */
export async function announceAwake(
  announce: () => Promise<number | undefined>,
  { sinceBoot, monotonic }: Clocks = SYSTEM,
): Promise<number | undefined> {
  for (;;) {
    const [boot, timers] = [sinceBoot(), monotonic()];
    const startBy = await announce();
    const sleptMs = sinceBoot() - boot - (monotonic() - timers);
    if (startBy === undefined || sleptMs < SLEPT_MS) return startBy;
  }
}
