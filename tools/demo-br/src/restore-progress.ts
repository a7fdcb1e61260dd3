import { type ProgressPlace, type Step, startStep } from './progress.ts';

/** How much there is to do in a restore. */
export interface RestoreWorkload {
  readonly ranges: number;
  readonly files: number;
  /** To compare; 0 without `--checksum`. */
  readonly tables: number;
}

/** The progress of a restore: one step for all, or from v8.5.5 on one for each kind of work. */
export interface RestoreProgress extends Disposable {
  split(ranges: number): void;
  load(files: number): void;
  compare(tables: number): void;
  /** BR's bars are full at the end of whatever was not cancelled. */
  fill(): void;
}

/** One step of the command's name. */
export function singleStep(
  place: ProgressPlace,
  name: string,
  { ranges, files, tables }: RestoreWorkload,
): RestoreProgress {
  const step = startStep(place, name, ranges + files + tables);
  return {
    split: (count) => step.advance(count),
    load: (count) => step.advance(count),
    compare: (count) => step.advance(count),
    fill: () => step.advance(ranges + files + tables),
    [Symbol.dispose]: () => step[Symbol.dispose](),
  };
}

/** A step for each kind of work, as far as there is any. */
export function stepsByWork(place: ProgressPlace, { ranges, files, tables }: RestoreWorkload): RestoreProgress {
  const steps = new DisposableStack();
  const start = (name: string, total: number): Pick<Step, 'advance'> =>
    total === 0 ? { advance: () => undefined } : steps.use(startStep(place, name, total));
  // The stack ends the last one first.
  const pipeline = start('Restore Pipeline', tables);
  const download = start('Download&Ingest SST', files);
  const splitting = start('Split&Scatter Region(s)', ranges);
  return {
    split: (count) => splitting.advance(count),
    load: (count) => download.advance(count),
    compare: (count) => pipeline.advance(count),
    fill() {
      splitting.advance(ranges);
      download.advance(files);
      pipeline.advance(tables);
    },
    [Symbol.dispose]: () => steps.dispose(),
  };
}
