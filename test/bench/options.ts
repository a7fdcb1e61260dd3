import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What `npm run bench` was asked for. */
export interface BenchOptions {
  readonly quick: boolean;
  /** Names of the benchmarks to run; none means all. */
  readonly only: readonly string[];
  /** Absolute path of the file that the figures are written to. */
  readonly json?: string;
}

export const HELP = `Measures Tidemark, each figure against a floor measured in the same run.

  npm run bench                       everything
  npm run bench -- --only due-burst   one of them; may be given several times

Options (after "--", or npm keeps them for itself)
  --quick          fewer rounds and smaller worlds: minutes instead of much longer
  --only <name>    only this benchmark
  --json <file>    writes the figures there too, with the machine and the database they were measured on
  --help           this text

Environment
  TIDEMARK_AMQP_URL, TIDEMARK_MONGODB_URL (or ..._FILE)   servers to use instead of private ones; everything is
                                                          done in databases named bench-..., which are dropped

Ctrl-C stops cleanly. A target that was missed, or a benchmark that failed, makes the exit code 1.
`;

const SPEC = {
  quick: { type: 'boolean' },
  only: { type: 'string', multiple: true },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/**
 * Decides what the arguments mean.
 *
 * @param known names of the benchmarks there are
 * @param folder that relative paths are meant from
 * @returns `'help'` when that was asked for
 * @throws a sentence that says which argument is wrong and what would be right
 */
export function parseBenchOptions(
  args: readonly string[],
  known: readonly string[],
  folder: string,
): BenchOptions | 'help' {
  const { help, quick = false, only = [], json } = parse(args);
  if (help) return 'help';
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`There is no benchmark "${unknown}": ${known.join(', ')} are known.`);
  if (json === '') throw new Error('--json must name a file.');
  return { quick, only, ...(json !== undefined && { json: resolve(folder, json) }) };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: SPEC, allowPositionals: false }).values;
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split('. ');
    throw new Error(`${sentence.replace(/\.$/, '')}. npm run bench -- --help lists the options.`, { cause: error });
  }
}
