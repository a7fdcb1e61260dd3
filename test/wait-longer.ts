/** What a test waits for comes on a busy machine too, however soon it comes on a quiet one; Vitest would give it a second where nothing is said. */
import { afterAll, vi } from 'vitest';

const TIMEOUT_MS = 30_000;
const { waitFor, waitUntil } = vi;

vi.waitFor = (callback, options) => waitFor(callback, longer(options));
vi.waitUntil = (callback, options) => waitUntil(callback, longer(options));
afterAll(() => void Object.assign(vi, { waitFor, waitUntil }));

function longer<T extends { readonly timeout?: number }>(options: number | T = TIMEOUT_MS) {
  if (typeof options === 'number') return Math.max(options, TIMEOUT_MS);
  return { ...options, timeout: Math.max(options.timeout ?? 0, TIMEOUT_MS) };
}
