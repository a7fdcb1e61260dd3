/**
 * Keeps a server of a stack alive.
 *
 * 1. A server that ended unasked is started again, with growing pauses, whatever is in the way.
 * 2. A server that answers, but with errors of its own several times in a row, is ended and started again: an embedded
 *    database that met a full disk stays broken for as long as its process lives.
 * 3. A server that does not answer is busy, and left alone. One that answers nothing for some ten minutes hangs, and is ended
 *    and started again: an embedded database was seen to spin for ever under its own lock.
 * 4. Nothing is started after `signal` has aborted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { keepTrying } from './keep-trying.ts';
import type { LocalServer } from './local-server.ts';

const CHECK_EVERY_MS = 2_000;
const CHECK_LIMIT_MS = 10_000;
/** So many bad answers in a row are no accident. */
const BAD_ANSWERS = 3;
/** With the pauses between, and the time until each is given up, some ten minutes: an index over many records may take some. */
const UNANSWERED = 100;

export interface WatchOptions {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  /** Between two questions, in milliseconds; left out: two seconds. */
  readonly everyMs?: number;
}

/** Starts a server that ended unasked again. */
export async function startAgain(server: LocalServer, { say, signal }: WatchOptions): Promise<void> {
  const name = nameOf(server);
  const tellFailure = (error: Error, pauseMs: number) =>
    say(`${name} could not be started again, the next try is in ${pauseMs / 1_000} s: ${error.message}`);
  if (await keepTrying(() => server.start(), tellFailure, signal)) say(`${name} is back`);
}

/** Looks after a server that can be asked whether it is well, until the signal aborts. */
export async function watchServer(server: LocalServer, options: WatchOptions): Promise<void> {
  const { say, signal, everyMs = CHECK_EVERY_MS } = options;
  const { whySick } = server;
  if (whySick === undefined) return;
  for (let badAnswers = 0, unanswered = 0; !signal.aborted; ) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CHECK_LIMIT_MS)]);
    const answer = await whySick(limit).then(
      (why) => ({ why }),
      () => undefined,
    );
    badAnswers = answer?.why === undefined ? 0 : badAnswers + 1;
    unanswered = answer ? 0 : unanswered + 1;
    if (badAnswers < BAD_ANSWERS && unanswered < UNANSWERED) continue;
    const trouble = answer ? `answers with errors (${answer.why})` : 'answers nothing any more';
    badAnswers = unanswered = 0;
    say(`${nameOf(server)} ${trouble}: starting it again`);
    await server.kill().catch((error: Error) => say(`${nameOf(server)} could not be ended: ${error.message}`));
    await startAgain(server, options);
  }
}

function nameOf({ choice }: LocalServer): string {
  return choice.split(':')[0] ?? choice;
}
