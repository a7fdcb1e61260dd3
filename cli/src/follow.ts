/**
 * Follows a record until it is over.
 *
 * F1 A stream that ends or breaks off before the record is over is opened again, with growing pauses. Each says how things stand first.
 * F2 It gives up once nothing came for the patience, counted from the last sign of life; a heartbeat is one.
 * F3 Neither giving up nor Ctrl-C nor the time limit nor the end of the token changes anything at the server: each says how to go on.
 */
import { MAX_ANSWER_BYTES } from '@tidemark/limits/limits';
import { pause } from '@tidemark/service-kit/backoff';
import { createParser } from 'eventsource-parser';
import { ApiError, answered, type EVENT_STREAM } from './api.ts';
import { CommandError, EXIT } from './exit.ts';
import { createProgress, type Standing } from './progress.ts';
import type { Session } from './session.ts';
import { duration } from './text.ts';

export interface Followed<One> {
  /** Opens the events of the record. */
  open(options: {
    readonly parseAs: 'stream';
    readonly headers: { readonly accept: typeof EVENT_STREAM };
    readonly signal: AbortSignal;
  }): Promise<{
    readonly data?: ReadableStream<Uint8Array> | null;
    readonly error?: unknown;
    readonly response: Response;
  }>;
  /** The name of the events that hold the record. */
  readonly event: string;
  isOver(record: One): boolean;
  standingOf(record: One): Standing;
  /** What goes on without the command, such as "The backup", and with which commands to go on; left out where nothing does. */
  readonly goesOn?: { readonly subject: string; readonly commands: readonly string[] };
  /** Called with each record, in place of the progress. */
  readonly each?: (record: One) => Promise<void>;
}

export interface FollowLimits {
  /** How long to wait for the end of it; in seconds, no limit where it is left out. */
  readonly timeout?: number | undefined;
  /** How long a server may be away; in seconds. */
  readonly patience?: number | undefined;
}

export const DEFAULT_PATIENCE_SECONDS = 120;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/**
 * @returns the record once it is over
 * @throws CommandError: 3 where the server stayed away, 5 after the time limit, 130 where somebody stopped the wait; or ApiError
 */
export async function follow<One>(followed: Followed<One>, session: Session, limits: FollowLimits = {}): Promise<One> {
  const { timeout, patience = DEFAULT_PATIENCE_SECONDS } = limits;
  const patienceMs = patience * 1_000;
  const over = timeout === undefined ? undefined : AbortSignal.timeout(timeout * 1_000);
  const ended = AbortSignal.any([session.stop, ...(over ? [over] : [])]);
  using progress = createProgress(session.screen);
  const goOn = (sentence: string, exitCode: number, cause?: unknown) => {
    progress[Symbol.dispose]();
    const { subject, commands = [] } = followed.goesOn ?? {};
    const how = [subject && ` ${subject} goes on without you:`, ...commands.map((command) => `\n  ${command}`)];
    return new CommandError(`${sentence}${how.join('')}`, exitCode, { cause });
  };
  let heardAt = performance.now();
  let isAway = false;
  let wasHeard = false;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      const hear = () => {
        if (isAway) session.tell('Tidemark answers again.');
        isAway = false;
        wasHeard = true;
        heardAt = performance.now();
        pauseMs = FIRST_PAUSE_MS;
      };
      for await (const record of recordsOf(followed, ended, patienceMs, hear)) {
        if (followed.each) await followed.each(record);
        else progress.show(followed.standingOf(record));
        if (followed.isOver(record)) return record;
      }
    } catch (error) {
      if (session.stop.aborted) throw goOn('No longer waiting.', EXIT.interrupted, error);
      if (over?.aborted) throw goOn(`Not over after ${duration(timeout ?? 0)}.`, EXIT.timedOut, error);
      if (error instanceof ApiError && error.exitCode === EXIT.denied && wasHeard)
        throw goOn(error.message, error.exitCode, error);
      if (!isPassing(error)) throw error;
      if (performance.now() - heardAt >= patienceMs)
        throw goOn(`Tidemark did not answer for ${duration(patience)}.`, EXIT.unreachable, error);
      if (!isAway) {
        progress[Symbol.dispose]();
        session.tell(`Tidemark does not answer any more; trying again for ${duration(patience)}.`);
      }
      isAway = true;
    }
    // An abort ends the pause, and then the next look.
    await pause(pauseMs, ended);
  }
}

/** What is no answer of the API is the network's. */
function isPassing(error: unknown): boolean {
  return error instanceof CommandError ? error instanceof ApiError && error.passing : true;
}

/** The records of one stream, up to its end. @param hear is called for everything that comes */
async function* recordsOf<One>(
  { open, event }: Followed<One>,
  ended: AbortSignal,
  patienceMs: number,
  hear: () => void,
): AsyncGenerator<One> {
  using silence = createSilence(patienceMs);
  const signal = AbortSignal.any([ended, silence.signal]);
  signal.throwIfAborted();
  const stream = await answered(open({ parseAs: 'stream', headers: { accept: 'text/event-stream' }, signal }));
  const came: One[] = [];
  let isTooLong = false;
  const parser = createParser({
    maxBufferSize: MAX_ANSWER_BYTES,
    onError: ({ type }) => {
      isTooLong ||= type === 'max-buffer-size-exceeded';
    },
    onEvent: ({ event: name, data }) => {
      if (name === event) came.push(JSON.parse(data) as One);
    },
  });
  const decoder = new TextDecoder();
  for await (const piece of piecesOf(stream, signal)) {
    hear();
    silence.restart();
    parser.feed(decoder.decode(piece, { stream: true }));
    if (isTooLong)
      throw new CommandError(`Tidemark sends an event of over ${MAX_ANSWER_BYTES} bytes: is the address right?`);
    yield* came.splice(0);
  }
}

/** What comes of a stream until it ends. The stream of an answer holds its signal only weakly: an abort is listened for here. */
async function* piecesOf(
  stream: ReadableStream<Uint8Array> | null | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (!stream) return;
  const reader = stream.getReader();
  // A stream that is broken has told so to its reader already.
  const cancel = () => void reader.cancel(signal.reason).catch(() => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

/** Aborts once nothing restarted it for so long: a connection may be dead without saying so. */
function createSilence(ms: number): Disposable & { readonly signal: AbortSignal; restart(): void } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms);
  return {
    signal: controller.signal,
    restart: () => void timer.refresh(),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
