import { signal } from '@preact/signals';

const TICK_MS = 1_000;

/** The time of this machine, for what is told as an age; in milliseconds. */
export const now = signal(Date.now());

export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, TICK_MS);
}
