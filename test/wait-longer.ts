/** What a test waits for comes on a busy machine too; Vitest would give it a second where nothing is said. */
import { afterAll, vi } from 'vitest';

const TIMEOUT_MS = 20_000;
const { waitFor, waitUntil } = vi;

vi.waitFor = (callback, options) => waitFor(callback, longer(options));
vi.waitUntil = (callback, options) => waitUntil(callback, longer(options));
afterAll(() => void Object.assign(vi, { waitFor, waitUntil }));

function longer<T extends { readonly timeout?: number }>(options: number | T | undefined) {
  return typeof options === 'number' ? options : { timeout: TIMEOUT_MS, ...options };
}
