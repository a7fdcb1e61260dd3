/** The API as the command line calls it: by the paths, bodies and answers of docs/openapi.json. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_ANSWER_BYTES } from '@tidemark/limits/limits';
import type { paths } from '@tidemark/protocol/rest';
import { UnfitError, withinBytes } from '@tidemark/service-kit/bounded-read';
import createClient, { type Client } from 'openapi-fetch';
import type { Connection } from './connection.ts';
import { CommandError, EXIT } from './exit.ts';

export type Api = Client<paths>;

interface Failed {
  readonly status?: number;
  readonly number?: number | undefined;
  readonly fields?: readonly BadField[];
  readonly acknowledge?: string | undefined;
  readonly exitCode: number;
  readonly cause?: unknown;
}

/** Tidemark's API said no, or could not be reached; the message is for people. */
export class ApiError extends CommandError {
  /** Of the answer; nothing where there was none. */
  readonly status: number | undefined;
  /** Of the failure, in the API's table of errors. */
  readonly number: number | undefined;
  /** Every bad field, as the API names it. */
  readonly fields: readonly BadField[];
  /** What acknowledges that points of a log are lost, where it was refused because they would be. */
  readonly acknowledge: string | undefined;

  constructor(message: string, { status, number, fields = [], acknowledge, exitCode, cause }: Failed) {
    super(message, exitCode, { cause });
    this.status = status;
    this.number = number;
    this.fields = fields;
    this.acknowledge = acknowledge;
  }

  /** Whether the same call may succeed a little later. */
  get passing(): boolean {
    return this.exitCode === EXIT.unreachable;
  }
}

export interface BadField {
  readonly field: string;
  readonly description: string;
}

/** What an answer is in, as far as it is looked at here. */
interface Envelope {
  readonly code?: number;
  readonly message?: string;
  readonly details?: { readonly fields?: readonly BadField[]; readonly acknowledge?: string };
}

/** Where a call is answered by a stream: it has no deadline once it has begun. */
export const EVENT_STREAM = 'text/event-stream';
export const PLAIN_TEXT = 'text/plain';

/** A check of a storage is waited for by the gateway, for up to 30 s. */
const DEADLINE_MS = 45_000;
/** For so long a call is repeated that the server could not answer, where a repeat does nothing twice. */
const REPEAT_FOR_MS = 15_000;
const REPEAT_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
const TOO_OFTEN = 429;
const PASSING = [TOO_OFTEN, 502, 503, 504];

/** @param stop aborts when nobody wants the answers any longer */
export function createApi({ url, token }: Connection, stop: AbortSignal): Api {
  return createClient<paths>({
    baseUrl: `${url}/api/v1`,
    headers: { authorization: `Bearer ${token}` },
    redirect: 'error',
    querySerializer: { array: { style: 'form', explode: true } },
    fetch: (request) => ask(request, url, stop),
  });
}

/** Sends a request; repeats it for a while where the server is too busy and a repeat does nothing twice. */
async function ask(request: Request, url: string, stop: AbortSignal): Promise<Response> {
  const isStream = [EVENT_STREAM, PLAIN_TEXT].includes(request.headers.get('accept') ?? '');
  const isDryRun = new URL(request.url).searchParams.get('validateOnly') === 'true';
  const repeatable = request.method === 'GET' || isDryRun || request.headers.has('idempotency-key');
  const until = performance.now() + REPEAT_FOR_MS;
  for (let pause = REPEAT_MS; ; pause *= 2) {
    const response = await send(request.clone(), url, stop, isStream);
    const asked = 1_000 * Number(response.headers.get('retry-after') ?? 0);
    const waitMs = Math.min(Math.max(pause, asked), LONGEST_PAUSE_MS);
    // What came too often was not begun, whatever it is.
    const mayRepeat = response.status === TOO_OFTEN || (repeatable && PASSING.includes(response.status));
    if (!mayRepeat || performance.now() + waitMs > until) return response;
    await response.body?.cancel();
    await sleep(waitMs, undefined, { signal: stop });
  }
}

async function send(request: Request, url: string, stop: AbortSignal, isStream: boolean): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), DEADLINE_MS);
  const signal = AbortSignal.any([stop, late.signal, request.signal]);
  try {
    const response = await fetch(request, { signal });
    if (isStream && response.ok) return response;
    // It is read here, so that what breaks off is told as what it is.
    const body = await withinBytes(response, MAX_ANSWER_BYTES).text();
    const { status, headers } = response;
    return new Response(status === 204 ? null : body, { status, headers: { ...Object.fromEntries(headers) } });
  } catch (cause) {
    stop.throwIfAborted();
    request.signal.throwIfAborted();
    const reason = (cause as Error).cause;
    if (cause instanceof UnfitError || reason instanceof UnfitError)
      throw new ApiError(`The answer of ${url} ${(cause instanceof UnfitError ? cause : (reason as Error)).message}.`, {
        exitCode: EXIT.failed,
        cause,
      });
    const why = late.signal.aborted ? `within ${DEADLINE_MS / 1_000} s` : `(${whyNot(cause)})`;
    throw new ApiError(`Tidemark at ${url} does not answer ${why}: does it run there?`, {
      exitCode: EXIT.unreachable,
      cause,
    });
  } finally {
    clearTimeout(timer);
  }
}

function whyNot(error: unknown): string {
  const { cause, message } = error as Error & { readonly cause?: NodeJS.ErrnoException };
  return cause?.code ?? cause?.message ?? message;
}

interface Answered<Data> {
  readonly data?: Data;
  readonly error?: unknown;
  readonly response: Response;
}

/**
 * What a call answered: its envelope, or its stream.
 *
 * @throws ApiError, or the signal's reason
 */
export async function answered<Data>(call: Promise<Answered<Data>>): Promise<Data> {
  let answer: Answered<Data>;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof SyntaxError) throw notTidemark(error);
    throw error;
  }
  const { data, error, response } = answer;
  if (response.ok && typeof data === 'object' && data !== null) {
    if (data instanceof ReadableStream || (data as Envelope).code === 0) return data;
  }
  throw toApiError(response, error);
}

/** The same, or nothing where what was asked for is not there. @throws as `answered` */
export async function found<Data>(call: Promise<Answered<Data>>): Promise<Data | undefined> {
  try {
    return await answered(call);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

function toApiError({ status }: Response, error: unknown): ApiError {
  const { code, message, details } = (typeof error === 'object' && error !== null ? error : {}) as Envelope;
  if (message === undefined && status < 500) return notTidemark(undefined, status);
  const fields = (details?.fields ?? []).filter(({ field, description }) => field && description);
  return new ApiError(message ?? `The server answered with HTTP status ${status}.`, {
    status,
    number: code,
    fields: [...fields],
    acknowledge: details?.acknowledge,
    exitCode: exitCodeOf(status),
  });
}

function notTidemark(cause?: unknown, status?: number): ApiError {
  const how = status === undefined ? 'what answers there sends no JSON' : `HTTP status ${status}`;
  return new ApiError(`This does not look like Tidemark's API (${how}): is the address right?`, {
    ...(status !== undefined && { status }),
    exitCode: EXIT.unreachable,
    cause,
  });
}

function exitCodeOf(status: number): number {
  if (status === 400) return EXIT.usage;
  if (status === 401 || status === 403) return EXIT.denied;
  return PASSING.includes(status) ? EXIT.unreachable : EXIT.failed;
}
