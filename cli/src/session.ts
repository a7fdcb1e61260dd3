/** What a verb works with. Everything that comes from the process is passed in by `main.ts`. */

import type { Env } from '@tidemark/service-kit/env';
import type { Api } from './api.ts';
import type { Connection } from './connection.ts';
import type { Output } from './output.ts';
import type { Screen, Style } from './terminal.ts';

export interface Session {
  /** @throws UsageError where nothing says where Tidemark is */
  readonly api: Api;
  /** @throws UsageError as `api` */
  readonly connection: Connection;
  readonly output: Output;
  /** Standard output. */
  readonly data: Screen;
  /** Standard error: what is not data. */
  readonly screen: Screen;
  /** Writes a line there. */
  tell(line: string, style?: Style): void;
  /** Whether somebody at a terminal can be asked. */
  readonly isInteractive: boolean;
  /** Asks somebody at the terminal for a line. @throws the signal's reason */
  ask(question: string): Promise<string>;
  /** All of standard input. @throws UsageError where it is longer */
  input(maxBytes: number): Promise<string>;
  /** How the command line is called here, such as `tidemark`. */
  readonly command: string;
  /** Aborts when nobody wants to wait any longer. */
  readonly stop: AbortSignal;
  readonly env: Env;
  /** That relative names are meant from. */
  readonly folder: string;
  /** Where `.tidemark` is. */
  readonly repository: string;
}

/** Runs what a verb does; its answer is the exit code, where it is not 0. */
export type Run = (act: (session: Session) => Promise<number> | Promise<void>) => Promise<void>;
