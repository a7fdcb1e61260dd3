/** The forms in which an answer is printed: JSON, YAML and JSON lines are the API's own, tables are for people. */
import { type Column, type Field, layOut, layOutRecord } from './table.ts';
import type { Screen, Style } from './terminal.ts';
import { printable, printableJson, printableText } from './text.ts';

export const FORMS = ['table', 'wide', 'json', 'yaml', 'jsonl'] as const;
export type Form = (typeof FORMS)[number];

export interface Output {
  readonly form: Form;
  /** Whether it is for people. */
  readonly isTable: boolean;
  /** Prints a list. @param answer of the API, @param title a sentence above the table */
  list<Row extends object>(
    answer: object,
    rows: readonly Row[],
    columns: readonly Column<Row>[],
    title?: { readonly text: string; readonly style?: Style },
  ): Promise<void>;
  /** Prints what is known of one thing. */
  record(answer: object, fields: readonly Field[]): Promise<void>;
  /** Prints a word that scripts take, such as the id of what was started. */
  word(answer: object, word: string): Promise<void>;
  /** Prints a line as it is, whatever the form. */
  line(text: string): void;
  /** Prints a text of ours as it is. */
  text(text: string): void;
  /** Prints bytes as they are, and on a terminal what this makes of them. */
  raw(bytes: Uint8Array, toText: (bytes: Uint8Array) => string): Promise<void>;
  /** Prints one of many answers that come one after the other. */
  item(answer: object, line: string): Promise<void>;
}

export function createOutput(form: Form, screen: Screen): Output {
  const data = async (answer: object): Promise<void> => screen.write(await toText(answer, form, screen.isTerminal));
  const isTable = form === 'table' || form === 'wide';
  return {
    form,
    isTable,
    async list(answer, rows, columns, title) {
      if (form === 'jsonl') for (const row of rows) await data(row);
      else if (!isTable) await data(answer);
      else {
        if (title) screen.write(`${screen.paint(title.style, printable(title.text))}\n`);
        const shown = columns.filter(({ wide }) => form === 'wide' || !wide);
        for (const line of layOut(rows, shown, screen)) screen.write(`${line}\n`);
      }
    },
    async record(answer, fields) {
      if (!isTable) await data(answer);
      else for (const line of layOutRecord(fields, screen)) screen.write(`${line}\n`);
    },
    async word(answer, word) {
      if (isTable) screen.write(`${printable(word)}\n`);
      else await data(answer);
    },
    line: (text) => screen.write(`${printable(text)}\n`),
    text: (text) => screen.write(text),
    raw: (bytes, toShown) => screen.writeWhole(screen.isTerminal ? toShown(bytes) : bytes),
    async item(answer, line) {
      if (isTable) screen.write(`${printable(line)}\n`);
      else if (form === 'yaml') screen.write(`---\n${await toText(answer, form, screen.isTerminal)}`);
      else screen.write(await toText(answer, 'jsonl', screen.isTerminal));
    },
  };
}

async function toText(answer: object, form: Form, isTerminal: boolean): Promise<string> {
  if (form === 'yaml') {
    const { stringify } = await import('yaml');
    const text = stringify(answer, { lineWidth: 0, aliasDuplicateObjects: false });
    return isTerminal ? printableText(text) : text;
  }
  const json = JSON.stringify(answer, null, form === 'json' ? 2 : 0);
  return `${isTerminal ? printableJson(json) : json}\n`;
}
