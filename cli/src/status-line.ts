import type { WriteStream } from 'node:tty';

const TERMINAL_MS = 100;
const PIPE_MS = 10_000;

/**
 * Shows how far a work is: in a terminal as one line that changes, else as a line now and then.
 *
 * @returns shows a line; '' takes away what a terminal shows
 */
export function createStatusLine(stream: Pick<WriteStream, 'write' | 'columns'> & { isTTY?: boolean }) {
  const isTerminal = stream.isTTY === true;
  let shownAt = isTerminal ? Number.NEGATIVE_INFINITY : performance.now();
  return (line: string): void => {
    const now = performance.now();
    if (line === '') {
      if (isTerminal && shownAt > 0) stream.write('\r\u001b[K');
      return;
    }
    if (now - shownAt < (isTerminal ? TERMINAL_MS : PIPE_MS)) return;
    shownAt = now;
    stream.write(isTerminal ? `\r\u001b[K${line.slice(0, Math.max(1, stream.columns - 1))}` : `${line}\n`);
  };
}
