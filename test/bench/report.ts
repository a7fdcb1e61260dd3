import type { Figure, Target } from './benchmark.ts';

/** Where the figures come from. */
export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryGb: number;
  readonly platform: string;
  /** Name and version, such as `MongoDB 8.0.4`. */
  readonly database: string;
}

/** What one benchmark found. */
export interface Result {
  readonly name: string;
  readonly what: string;
  readonly figures: readonly Figure[];
  readonly seconds: number;
}

/** One whole run, as it is written to the file. */
export interface Report {
  readonly date: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly results: readonly Result[];
}

/** Whether the target of a figure was met; undefined where it has none. */
export function isMet({ value, ratio, target }: Figure): boolean | undefined {
  if (!target) return undefined;
  const measured = target.of === 'ratio' ? ratio : value;
  if (measured === undefined) return false;
  return measured <= (target.atMost ?? Number.POSITIVE_INFINITY) && measured >= (target.atLeast ?? 0);
}

/** A figure as people read it: three digits that mean something. */
export function number(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const HEADINGS = ['', 'value', 'floor', 'ratio', 'target'] as const;

/** The figures of one benchmark, a line each below a line of headings. */
export function table(figures: readonly Figure[]): string {
  const rows = [HEADINGS, ...figures.map(row)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function row(figure: Figure): readonly string[] {
  const { name, value, unit, floor, ratio, target } = figure;
  const suffix = unit === 'count' ? '' : unit === '/s' ? unit : ` ${unit}`;
  return [
    name,
    `${number(value)}${suffix}`,
    floor ? `${floor.name} ${number(floor.value)}${suffix}` : '',
    ratio === undefined ? '' : ratio < 0.1 ? ratio.toPrecision(2) : ratio.toFixed(2),
    target ? `${targetText(target)} ${isMet(figure) ? 'met' : 'MISSED'}` : '',
  ];
}

function targetText({ of, atMost, atLeast }: Target): string {
  const bounds = [
    ...(atLeast === undefined ? [] : [`≥ ${number(atLeast)}`]),
    ...(atMost === undefined ? [] : [`≤ ${number(atMost)}`]),
  ];
  return `${of} ${bounds.join(' and ')}`;
}

/** The lines above all tables. */
export function heading({ date, quick, machine }: Omit<Report, 'results'>): string {
  const { node, cpu, cpus, memoryGb, platform, database } = machine;
  return [
    `${date}${quick ? ', quick' : ''}`,
    `${cpus} × ${cpu}, ${memoryGb} GB, ${platform}, Node.js ${node}`,
    `Database: ${database}`,
  ].join('\n');
}
