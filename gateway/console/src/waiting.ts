/** Waiting that ends with the page. */
import { effect } from '@preact/signals';
import { ended } from './session.ts';

/** Resolves after a time, or when it is not waited for any more. */
export function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stop.addEventListener('abort', end);
    if (stop.aborted) end();
  });
}

/** Whether somebody looks at the tab with a token that is good. */
export function isLookedAt(): boolean {
  return !document.hidden && ended.value === undefined;
}

/** Resolves when the tab is seen and the token is good, or with the end of the page. */
export function untilLookedAt(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!stop.aborted && !isLookedAt()) return;
      document.removeEventListener('visibilitychange', look);
      stop.removeEventListener('abort', look);
      queueMicrotask(() => dispose());
      resolve();
    };
    const dispose = effect(look);
    document.addEventListener('visibilitychange', look);
    stop.addEventListener('abort', look);
  });
}

/**
 * Aborts when the tab is hidden: a browser has few connections for all of its tabs, and streams keep one each.
 *
 * @returns besides what ends the watch
 */
export function untilHidden(): { readonly signal: AbortSignal; readonly end: () => void } {
  const hidden = new AbortController();
  const look = () => {
    if (document.hidden) hidden.abort();
  };
  document.addEventListener('visibilitychange', look);
  return { signal: hidden.signal, end: () => document.removeEventListener('visibilitychange', look) };
}
