import type { Stack, StackOptions } from '@tidemark/local-stack/stack';
import type { Db } from 'mongodb';

/** A benchmark: the export `benchmark` of a file `<noun>.bench.ts` in this folder. */
export interface Benchmark {
  /** What `--only` calls it: the name of its file. */
  readonly name: string;
  /** One sentence for people. */
  readonly what: string;
  run(context: BenchContext): Promise<Figure[]>;
}

/** One thing that was measured. */
export interface Figure {
  readonly name: string;
  /** The median of its rounds, unless the name says otherwise. */
  readonly value: number;
  readonly unit: 'ms' | 's' | '/s' | 'MB' | 'times' | 'count';
  /** The least that the same work costs on the same servers, measured in the same rounds. */
  readonly floor?: { readonly name: string; readonly value: number };
  /** The value as a multiple of the floor. */
  readonly ratio?: number;
  readonly target?: Target;
}

/** What a figure should be: its value, or its ratio to the floor. */
export interface Target {
  readonly of: 'value' | 'ratio';
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** What a benchmark works with; everything that it opens goes when it ends, however it ends. */
export interface BenchContext {
  /** Fewer rounds and smaller worlds. */
  readonly quick: boolean;
  /** Aborts when the run is to stop. */
  readonly signal: AbortSignal;
  readonly mongodbUrl: string;
  readonly amqpUrl: string;
  /** Whether the database is one of the run, which is gone after it: then nothing need be dropped, which some are slow at. */
  readonly mongodbIsPrivate: boolean;
  /** Tells people what takes time. */
  say(line: string): void;
  /** A new, empty database of the run; its name begins with `bench-`. */
  database(): Db;
  /** Real processes over a database of the run. */
  processes(database: Db, options: StackOptions): Promise<Stack>;
  /** Leaves something to be disposed of before what was opened earlier. */
  use<T extends Disposable | AsyncDisposable>(resource: T): T;
}
