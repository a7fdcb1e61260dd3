import { MAX_ANSWER_BYTES } from '@tidemark/limits/limits';
import { UnfitError, withinBytes } from '@tidemark/service-kit/bounded-read';
import type { Connection } from './connection.ts';

/** Tidemark's API said no, or could not be reached; the message is for people. */
export class ApiError extends Error {
  /** Whether the same call may succeed a little later. */
  readonly passing: boolean;

  constructor(message: string, { passing, cause }: { readonly passing: boolean; readonly cause?: unknown }) {
    super(message, { cause });
    this.passing = passing;
  }
}

/** Calls the API; answers the `data` of its envelope. @throws ApiError, or the signal's reason */
export type CallApi = (method: 'GET' | 'POST', path: string, body?: object) => Promise<Record<string, unknown>>;

const PASSING = [429, 502, 503, 504];
const PATIENCE_MS = 15_000;

export function createApi({ url, token }: Connection, signal: AbortSignal): CallApi {
  return async (method, path, body) => {
    let status: number;
    let envelope: { code?: number; message?: string; data?: Record<string, unknown> };
    try {
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
      });
      status = response.status;
      envelope = (await withinBytes(response, MAX_ANSWER_BYTES).json()) as typeof envelope;
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof UnfitError)
        throw new ApiError(`The answer of Tidemark at ${url} ${cause.message}.`, { passing: false, cause });
      throw new ApiError(`Tidemark at ${url} does not answer: does it run there?`, { passing: true, cause });
    }
    if (status === 200 && envelope.code === 0) return envelope.data ?? {};
    throw new ApiError(envelope.message || `Tidemark at ${url} answered with HTTP status ${status}.`, {
      passing: PASSING.includes(status),
    });
  };
}
