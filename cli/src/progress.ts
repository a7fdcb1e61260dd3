/** Shows how far a work is: on a terminal a line with a bar that changes, elsewhere a line for each change. */
import type { Screen } from './terminal.ts';
import { duration, printable } from './text.ts';

/** How far a work is. */
export interface Standing {
  /** Such as `Running`. */
  readonly state: string;
  /** The phase. */
  readonly step?: string | undefined;
  readonly percent?: number | undefined;
  readonly speed?: string | undefined;
  readonly remainingSeconds?: number | undefined;
  /** What it waits for. */
  readonly note?: string | undefined;
}

export interface Progress extends Disposable {
  show(standing: Standing): void;
}

const TERMINAL_MS = 100;
const PIPE_MS = 10_000;
const WIDEST_BAR = 30;
const NARROWEST_BAR = 5;
const DEFAULT_COLUMNS = 80;

export function createProgress(screen: Screen): Progress {
  return screen.isTerminal ? onTerminal(screen) : inLines(screen);
}

function onTerminal(screen: Screen): Progress {
  let shownAt = Number.NEGATIVE_INFINITY;
  let shown = '';
  let isThere = false;
  const clear = () => {
    if (isThere) screen.write('\r\u001b[K');
    isThere = false;
  };
  return {
    show(standing) {
      const now = performance.now();
      if (now - shownAt < TERMINAL_MS && standing.state === shown) return;
      shownAt = now;
      shown = standing.state;
      screen.write(`\r\u001b[K${barLine(standing, (screen.columns ?? DEFAULT_COLUMNS) - 1)}`);
      isThere = true;
    },
    [Symbol.dispose]: clear,
  };
}

function inLines(screen: Screen): Progress {
  let last = '';
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    show(standing) {
      const { state, step = '', note = '' } = standing;
      const what = [state, step, note].join('\n');
      const now = performance.now();
      const percentChanges = standing.percent !== undefined && now - shownAt >= PIPE_MS;
      if (what === last && !percentChanges) return;
      last = what;
      shownAt = now;
      screen.write(`${plainLine(standing)}\n`);
    },
    [Symbol.dispose]() {},
  };
}

/** The line for a terminal with so much room: what matters less is left out where it is narrow. */
export function barLine(standing: Standing, room: number): string {
  const { state, step, percent, speed, note } = standing;
  const remaining = remainingOf(standing);
  const head = [state, step].filter(Boolean).join('  ');
  if (percent === undefined) return cut([head, note].filter(Boolean).join('  '), room);
  const share = `${Math.floor(percent)} %`.padStart(5);
  const tails = [[speed, remaining], [remaining], []].map((parts) => parts.filter(Boolean).map((part) => `  ${part}`));
  for (const tail of tails) {
    const beside = printable(`${head}  ${share}${tail.join('')}`);
    const width = Math.min(WIDEST_BAR, room - [...beside].length - 4);
    if (width >= NARROWEST_BAR) return printable(`${head}  [${bar(percent, width)}] ${share}${tail.join('')}`);
  }
  return cut(`${share.trim()}  ${head}`, room);
}

export function plainLine(standing: Standing): string {
  const { state, step, percent, speed, note } = standing;
  const share = percent === undefined ? undefined : `${Math.floor(percent)} %`;
  return printable([state, step, share, speed, remainingOf(standing), note].filter(Boolean).join(', '));
}

const remainingOf = ({ remainingSeconds }: Standing): string | undefined =>
  remainingSeconds === undefined ? undefined : `${duration(remainingSeconds)} left`;

function bar(percent: number, width: number): string {
  const full = Math.min(width, Math.max(0, Math.round((percent / 100) * width)));
  return '#'.repeat(full) + '-'.repeat(width - full);
}

const cut = (text: string, room: number): string => [...printable(text)].slice(0, Math.max(1, room)).join('');
