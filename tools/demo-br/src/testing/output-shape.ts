import { type ReadLine, readLines } from '../test-run.ts';

// For this package's tests only: what must be equal in the outputs of two runs that did the same in different places.

export interface OutputShape {
  /** Lines that are no log lines. */
  readonly plain: readonly string[];
  /** `LEVEL caller message` of each log line but progress, in order. */
  readonly lines: readonly string[];
  /** From `units canceled` or the success summary to the end, with the names of fields and the error's text. */
  readonly end: readonly string[];
  /** Each step in order, with its total (of `Checksum`: whether there is more than one) and whether it ended at 100 %. */
  readonly steps: readonly string[];
}

/**
 * Text without what two runs of one command cannot share: numbers of locks, times and TSOs, names of SSTs, the order of tables
 * that are in the way. A text that is said again and again is said once.
 */
export function withoutNumbers(text: string): string {
  return text
    .replaceAll(/BR\(\d+\)/g, 'BR(N)')
    .replaceAll(/expire in \d+ seconds/g, 'expire in N seconds')
    .replaceAll(/\b\d{18}\b/g, 'TSO')
    .replaceAll(/TSO\([^)]* UTC\)/g, 'TSO(TIME)')
    .replaceAll(/\d+\/\d+_\d+_[0-9a-f]{64}_\d{13}_(write|default)\.sst/g, 'SST')
    .replaceAll(/user db\/tables: ([^:]*)/g, (_, names: string) => `user db/tables: ${sortedNames(names)}`)
    .replaceAll(/wrong aes cipher: [^\]\n]*/g, 'wrong aes cipher')
    .replaceAll(/"ts":"[^"]*"/g, '"ts":"TIME"')
    .replaceAll(/etcd-endpoints:\/\/0x[0-9a-f]+/g, 'etcd-endpoints://ADDRESS')
    .split('\n')
    .map(saidOnce)
    .join('\n')
    .replaceAll(/(Detail BR log in ).*\/[^/]+ $/gm, '$1FILE ');
}

/** Which of the many temporary system tables are named is chance. */
const sortedNames = (names: string): string =>
  names
    .split(', ')
    .map((name) => name.replace(/^__TiDB_BR_Temporary_mysql\..*/, '__TiDB_BR_Temporary_mysql.T'))
    .toSorted()
    .join(', ');

function saidOnce(text: string): string {
  const [first = '', ...others] = text.split('; ');
  const [, start = '', said = first] = /^((?:\w+ \S+ .* \([^)]*\) |Error: )?)(.*)$/.exec(first) ?? [];
  return others.length > 1 && others.every((other) => other === said)
    ? `${start}${said} (${others.length + 1} times)`
    : text;
}

const isEnd = ({ message }: ReadLine) => message === 'units canceled' || message.endsWith('success summary');

/** The shape of what a run printed to stdout, or wrote to its log. */
export function outputShape(stdout: string): OutputShape {
  const lines = readAny(stdout);
  const progress = lines.filter(({ message }) => message === 'progress');
  const others = lines.filter(({ message }) => message !== 'progress');
  const start = others.findIndex(isEnd);
  return {
    plain: stdout.split('\n').filter((line) => !/^\[\d{4}\/|^\{"level"/.test(line)),
    lines: others.map(({ level, caller, message }) => `${level} ${caller} ${message}`),
    end: others.slice(start < 0 ? others.length : start).map(endLine),
    steps: [...new Set(progress.map(({ fields }) => fields.step))].map((step) => {
      const last = progress.findLast(({ fields }) => fields.step === step);
      const count = last?.fields.count?.split(' / ')[1];
      const total = step === 'Checksum' && count !== '1' ? 'more' : count;
      return `${step} of ${total}${last?.fields.progress === '100.00%' ? ', done' : ''}`;
    }),
  };
}

/** Fields in order where the order is fixed: the first three of a summary. */
function endLine({ level, caller, message, fields }: ReadLine): string {
  const { errorVerbose: _, error = '', ...rest } = fields;
  const names = Object.keys(rest);
  const ordered = [...names.slice(0, 3), ...names.slice(3).toSorted()];
  return withoutNumbers(`${level} ${caller} ${message} (${ordered.join(' ')}) ${error}`);
}

function readAny(stdout: string): ReadLine[] {
  if (!stdout.startsWith('{')) return readLines(stdout);
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => {
      const { time, level, caller, message, ...fields } = JSON.parse(line);
      return { time, level, caller, message, fields };
    });
}
