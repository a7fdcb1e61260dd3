import type { Screen } from './terminal.ts';
import { printable } from './text.ts';

const TERMINAL_MS = 100;
const PIPE_MS = 10_000;
const DEFAULT_COLUMNS = 80;

/**
 * Shows how far a work is: in a terminal as one line that changes, else as a line now and then.
 *
 * @returns shows a line; '' takes away what a terminal shows
 */
export function createStatusLine(screen: Screen) {
  const { isTerminal } = screen;
  let shownAt = isTerminal ? Number.NEGATIVE_INFINITY : performance.now();
  return (line: string): void => {
    const now = performance.now();
    if (line === '') {
      if (isTerminal && shownAt > 0) screen.write('\r\u001b[K');
      return;
    }
    if (now - shownAt < (isTerminal ? TERMINAL_MS : PIPE_MS)) return;
    shownAt = now;
    const short = printable(line).slice(0, Math.max(1, (screen.columns ?? DEFAULT_COLUMNS) - 1));
    screen.write(isTerminal ? `\r\u001b[K${short}` : `${line}\n`);
  };
}
