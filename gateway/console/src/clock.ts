import { computed, signal } from '@preact/signals';
import { answeredAt, isAway } from './connection.ts';

const TICK_MS = 1_000;

/** The time of this machine, for the age of what is shown; in milliseconds. */
export const clock = signal(Date.now());

/** The moment of which is what is shown: the time of this machine, and, while the gateway is away, that of its last answer. */
export const now = computed(() => (isAway.value ? answeredAt.value : clock.value));

export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) clock.value = Date.now();
  }, TICK_MS);
}
