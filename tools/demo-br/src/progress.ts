import type { Dialect } from './dialect.ts';
import { progressDuration } from './go-format.ts';
import type { Log } from './log.ts';
import type { Fields } from './log-line.ts';
import { BAR_EVERY_MS, type BarStream, barText, drawBar } from './progress-bar.ts';

/** Where a step stands. */
export interface ProgressState {
  readonly step: string;
  readonly done: number;
  readonly total: number;
  readonly elapsedMs: number;
  /** The line at the end of a step repeats the elapsed time as the remaining one. */
  readonly last: boolean;
}

/** The fields of a progress line (br-contract 3.4). */
export function progressFields({ step, done, total, elapsedMs, last }: ProgressState): Fields {
  const counted = Math.min(done, total);
  const speed = elapsedMs >= 100 ? (counted * 1000) / elapsedMs : 0;
  const elapsed = progressDuration(elapsedMs);
  const estimate = speed > 0 ? progressDuration(((total - counted) / speed) * 1000) : '?';
  return [
    ['step', step],
    ['progress', total === 0 ? '?%' : `${((counted / total) * 100).toFixed(2)}%`],
    ['count', total === 0 ? String(done) : `${counted} / ${total}`],
    ['speed', Math.round(speed) > 0 ? `${Math.round(speed)} p/s` : '? p/s'],
    ['elapsed', elapsed],
    ['remaining', last ? elapsed : estimate],
  ];
}

/** Where progress shows: as lines of the log, or as a bar. */
export type ProgressPlace = { readonly log: Log; readonly everyMs: number } | { readonly bar: BarStream };

/** Where progress shows in a version, and where its log goes to a file (br-contract 3.4). */
export function progressPlace(dialect: Dialect, lines: ProgressPlace, logsToFile: boolean): ProgressPlace {
  if (!logsToFile) return lines;
  if (dialect.progressWithLogFile === 'bar') return { bar: process.stderr };
  return process.stdout.isTTY ? { bar: process.stdout } : lines;
}

/** A step whose progress shows at an interval, and once more when it is disposed. */
export interface Step extends Disposable {
  advance(count: number): void;
}

/** Starts a step. The real program logs every 120 s; here `everyMs` can be shorter. */
export function startStep(place: ProgressPlace, step: string, total: number): Step {
  const startedAt = performance.now();
  let done = 0;
  const show = (last: boolean) => {
    const elapsedMs = performance.now() - startedAt;
    if ('bar' in place) drawBar(place.bar, barText(step, done, total), last);
    else place.log.info('progress.go:176', 'progress', progressFields({ step, done, total, elapsedMs, last }));
  };
  const timer = setInterval(() => show(false), 'bar' in place ? BAR_EVERY_MS : place.everyMs);
  return {
    advance(count) {
      done += count;
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      show(true);
    },
  };
}
