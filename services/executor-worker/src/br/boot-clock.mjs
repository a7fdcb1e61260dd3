// @ts-check
/** Beside the guard, and as it is, since the guard needs it before anything else. */
import { readFileSync } from 'node:fs';

/**
 * Milliseconds on a clock that goes on while the machine sleeps or is paused, which those of `performance` and of timers do
 * not: to others, who took the task over, that time has passed. Where there is none, it is the clock of timers.
 *
 * @returns {number}
 */
export const bootNow = () => {
  try {
    const seconds = Number(readFileSync('/proc/uptime', 'latin1').split(' ', 1)[0]);
    if (Number.isFinite(seconds)) return seconds * 1_000;
  } catch {
    // Not Linux.
  }
  return Number(process.hrtime.bigint()) / 1e6;
};
