import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from './child.ts';
import { tailLog } from './log-file.ts';

/** What is waited for. */
export interface Listening {
  /** How the sentence calls the process. */
  readonly title: string;
  /** A port of loopback. */
  readonly port: number;
  /** Sent after connecting: ready means that anything comes back. Without it, accepting is enough. */
  readonly probe?: Buffer;
  readonly startTimeoutMs: number;
}

/**
 * Waits until a child listens.
 *
 * @throws a sentence with the end of its log when it ends first or the time is over; the reason of an aborted `signal`
 */
export async function untilListening(child: Child, wanted: Listening, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + wanted.startTimeoutMs;
  while (!(await answers(wanted.port, wanted.probe))) {
    signal.throwIfAborted();
    if (!child.running) throw new Error(`${wanted.title} ended while starting${lastWords(child)}`);
    if (performance.now() > giveUpAt) {
      throw new Error(`${wanted.title} was not ready within ${wanted.startTimeoutMs / 1000} s${lastWords(child)}`);
    }
    await sleep(50);
  }
}

/** The end of a child's log, as the end of a sentence. */
export function lastWords(child: Pick<Child, 'logFile'>): string {
  const tail = tailLog(child.logFile);
  return tail === '' ? `; its log is ${child.logFile}.` : `; the end of ${child.logFile}:\n${tail}`;
}

function answers(port: number, probe: Buffer | undefined): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createConnection({ host: '127.0.0.1', port, timeout: 2_000 });
  const finish = (answer: boolean) => {
    socket.destroy();
    resolve(answer);
  };
  socket.once('connect', () => (probe === undefined ? finish(true) : socket.write(probe)));
  socket.once('data', () => finish(true));
  socket.once('timeout', () => finish(false));
  socket.once('end', () => finish(false));
  socket.once('error', () => finish(false));
  return promise;
}
