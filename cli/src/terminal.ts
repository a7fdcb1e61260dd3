/** What the command line knows of the terminal that it runs in, if any. */
import type { ReadStream, WriteStream } from 'node:tty';
import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** A stream of output, which may be a terminal. */
export interface Screen {
  readonly isTerminal: boolean;
  /** Of a terminal. */
  readonly columns: number | undefined;
  /** Colours a text, where the stream shows colours and the user wants them. */
  paint(style: Style | undefined, text: string): string;
  write(text: string): void;
  /** Resolves once the stream took it: whoever reads slowly slows the writer down. */
  writeWhole(chunk: string | Uint8Array): Promise<void>;
}

/** What `process.stdout` and `process.stderr` are. */
export type Stream = Pick<NodeJS.WriteStream, 'write'> & Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'hasColors'>>;

export type Keyboard = Pick<ReadStream, 'isTTY'>;

export function createScreen(stream: Stream): Screen {
  const isTerminal = stream.isTTY === true;
  // It looks at NO_COLOR and TERM by itself.
  const hasColors = isTerminal && stream.hasColors?.() === true;
  return {
    isTerminal,
    get columns() {
      return isTerminal && stream.columns ? stream.columns : undefined;
    },
    paint: (style, text) => (hasColors && style ? styleText(style, text, { validateStream: false }) : text),
    write: (text) => void stream.write(text),
    writeWhole: (chunk) => new Promise((resolve) => stream.write(chunk, () => resolve())),
  };
}
