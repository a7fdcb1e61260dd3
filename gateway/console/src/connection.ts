/** Whether the gateway answers: every call passes here, so that all pages say the same of it. */
import { signal } from '@preact/signals';

/** Since when nothing was answered; in milliseconds of the clock. */
export const awaySince = signal<number | undefined>(undefined);
/** When something was last answered. */
export const answeredAt = signal(Date.now());

/** As `fetch`, and notes whether the gateway was reached; what it answers is another matter. */
export async function watchedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  try {
    const response = await fetch(input, init);
    answeredAt.value = Date.now();
    awaySince.value = undefined;
    return response;
  } catch (error) {
    if (!init?.signal?.aborted) awaySince.value ??= Date.now();
    throw error;
  }
}
