/** Lays tables and records out in lines. Where a terminal is too narrow, columns shrink, and then rows become blocks. */
import type { Screen, Style } from './terminal.ts';
import { printable } from './text.ts';

/** A column of a table; a pure reading of a row. */
export interface Column<Row> {
  readonly title: string;
  of(row: Row): string;
  style?(row: Row): Style | undefined;
  /** Only with `-o wide`. */
  readonly wide?: true;
  /** It is for sentences: what does not fit goes on in the next line. Only of a last column. */
  readonly wraps?: true;
}

/** A line about a record: what it is, and its value; left out where that is empty. */
export type Field = readonly [name: string, value: string | undefined, style?: Style];

const GAP = '  ';
/** No column is cut shorter. */
const NARROWEST = 8;

interface Cell {
  readonly text: string;
  readonly style: Style | undefined;
}

type Surface = Pick<Screen, 'columns' | 'paint'>;

/** The lines of a table; the widths are those of the cells, unless the terminal has fewer columns. */
export function layOut<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { columns: room = Number.POSITIVE_INFINITY, paint }: Surface,
): string[] {
  const table = rows.map((row) =>
    columns.map((column) => ({ text: textOf(column.of(row)), style: column.style?.(row) })),
  );
  const heads = columns.map(({ title }) => ({ text: title, style: 'bold' as const }));
  const widths = columns.map((_, index) =>
    Math.max(...[heads, ...table].map((cells) => lengthOf(cells[index]?.text ?? ''))),
  );
  const fitting = shrink(widths, room - GAP.length * (columns.length - 1));
  const wraps = columns.at(-1)?.wraps === true;
  if (fitting) return [heads, ...table].flatMap((cells) => linesOf(cells, fitting, wraps, paint));
  return table.flatMap((cells, row) => [
    ...(row === 0 ? [] : ['']),
    ...layOutRecord(
      cells.map(({ text, style }, index): Field => [columns[index]?.title.toLowerCase() ?? '', text, style]),
      { columns: room, paint },
    ),
  ]);
}

/** Lines of names and values, the values below each other where there is room; long ones go on in the next line. */
export function layOutRecord(
  fields: readonly Field[],
  { columns: room = Number.POSITIVE_INFINITY, paint }: Surface,
): string[] {
  const shown = fields.flatMap(([name, value, style]) =>
    value === undefined || value === '' ? [] : [{ name, value, style }],
  );
  const width = Math.min(Math.max(...shown.map(({ name }) => lengthOf(name)), 0), Math.max(1, Math.floor(room / 2)));
  return shown.flatMap(({ name, value, style }) => {
    const lines = value.split('\n').flatMap((line) => cutInto(printable(line), Math.max(NARROWEST, room - width - 2)));
    return lines.map((line, index) => {
      const head = index === 0 ? padTo(name.slice(0, width), width) : ' '.repeat(width);
      return `${paint('bold', head)}${GAP}${paint(style, line)}`;
    });
  });
}

const textOf = (text: string): string => printable(text) || '-';
const lengthOf = (text: string): number => [...text].length;
const padTo = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - lengthOf(text)));

/** Takes from the widest columns until all fit; nothing where they do not. */
function shrink(widths: readonly number[], room: number): readonly number[] | undefined {
  const fitting = [...widths];
  for (let over = sum(fitting) - room; over > 0; over -= 1) {
    const widest = fitting.indexOf(Math.max(...fitting));
    const width = fitting[widest] ?? 0;
    if (width <= NARROWEST) return undefined;
    fitting[widest] = width - 1;
  }
  return fitting;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

function linesOf(
  cells: readonly Cell[],
  widths: readonly number[],
  wraps: boolean,
  paint: Surface['paint'],
): readonly string[] {
  const last = cells.length - 1;
  const [first, ...more] = wraps ? cutInto(cells[last]?.text ?? '', widths[last] ?? 0) : [cells[last]?.text ?? ''];
  const shown = cells.map(({ text, style }, index) => {
    const width = widths[index] ?? 0;
    const whole = index === last ? (first ?? '') : text;
    const short = lengthOf(whole) > width ? `${[...whole].slice(0, width - 1).join('')}…` : whole;
    return paint(style, index === last ? short : padTo(short, width));
  });
  const indent = ' '.repeat(sum(widths.slice(0, last)) + GAP.length * last);
  return [shown.join(GAP), ...more.map((line) => indent + paint(cells[last]?.style, line))];
}

function cutInto(text: string, width: number): string[] {
  const characters = [...text];
  if (characters.length <= width) return [text];
  const space = characters.slice(0, width + 1).lastIndexOf(' ');
  const end = space > 0 ? space : width;
  const rest = characters.slice(end).join('').trimStart();
  return [characters.slice(0, end).join(''), ...(rest === '' ? [] : cutInto(rest, width))];
}
