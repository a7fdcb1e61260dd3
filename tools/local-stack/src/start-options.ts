import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findOnPath, isExecutable } from './find-program.ts';
import { REPOSITORY } from './repository.ts';
import { DEFAULT_COPIES, GATEWAY_PORT } from './service-kinds.ts';

/** What `npm start` was asked for. */
export interface StartOptions {
  readonly dataDir: string;
  readonly fresh: boolean;
  readonly port: number;
  readonly workers: number;
  /** Whether forty made-up clusters are registered too. */
  readonly demoFleet: boolean;
  /** Absolute path of the program to run as `br`; left out: the stand-in `demo-br`. */
  readonly br?: string;
  readonly pd?: readonly string[];
  /** Absolute. */
  readonly storage?: string;
}

export const HELP = `Starts Tidemark with everything it needs on this machine.

  npm start                             RabbitMQ, a database, all processes, and a demo cluster without TiDB
  npm start -- --br br --pd 10.0.0.5:2379 --storage /mnt/backup
                                        the same for a real cluster: runs that br against that PD

Options (after "--", or npm keeps them for itself)
  --port <port>        of the API (${GATEWAY_PORT}); the other processes take the ports after it, or free ones
  --workers <number>   how many run backups (${DEFAULT_COPIES['executor-worker']})
  --data <folder>      where everything is kept (.tidemark); a second stack needs its own, and its own --port
  --demo-fleet         registers 40 made-up clusters in several zones, with rules, and lets them live
  --fresh              deletes what an earlier start kept there
  --br <program>       the br that workers run; without it demo-br stands in, with a made-up cluster
  --pd <host:port>     a PD of the cluster test-tidb; several separated by commas
  --storage <folder>   where backups are written; workers and every TiKV must see it there (<data>/storage)
  --help               this text

Environment
  TIDEMARK_AMQP_URL, TIDEMARK_MONGODB_URL (or ..._FILE)   your own RabbitMQ and MongoDB instead of private ones
  TIDEMARK_LOG_LEVEL, TIDEMARK_TIME_ZONE, TIDEMARK_SLOTS, ...   go to all processes

Logs are in <data>/logs; <data>/connection.json tells scripts the address and the token. Ctrl-C stops everything.
`;

const SPEC = {
  port: { type: 'string' },
  workers: { type: 'string' },
  data: { type: 'string' },
  fresh: { type: 'boolean' },
  'demo-fleet': { type: 'boolean' },
  br: { type: 'string' },
  pd: { type: 'string' },
  storage: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/**
 * Decides what the arguments mean.
 *
 * @param folder that relative paths are meant from
 * @returns `'help'` when that was asked for
 * @throws a sentence that says which argument is wrong and what would be right
 */
export function parseStartOptions(args: readonly string[], folder: string): StartOptions | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  const { br, pd, storage } = values;
  if (br !== undefined && pd === undefined) throw new Error('--br needs --pd <host:port>: the cluster it backs up.');
  if (pd !== undefined && br === undefined) throw new Error('--pd needs --br <program>: demo-br talks to no cluster.');
  const demoFleet = values['demo-fleet'] ?? false;
  if (demoFleet && br !== undefined) throw new Error('--demo-fleet is for demo-br: a real br finds no such clusters.');
  return {
    dataDir: values.data === undefined ? join(REPOSITORY, '.tidemark') : resolve(folder, values.data),
    fresh: values.fresh ?? false,
    demoFleet,
    port: wholeNumber('--port', values.port, { fallback: GATEWAY_PORT, min: 1, max: 65_000 }),
    workers: wholeNumber('--workers', values.workers, { fallback: DEFAULT_COPIES['executor-worker'], min: 1, max: 64 }),
    ...(br !== undefined && { br: toProgram(br, folder) }),
    ...(pd !== undefined && { pd: toAddresses(pd) }),
    ...(storage !== undefined && { storage: toFolder(storage, folder) }),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: SPEC, allowPositionals: false }).values;
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split('. ');
    throw new Error(`${sentence.replace(/\.$/, '')}. npm start -- --help lists the options.`, { cause: error });
  }
}

function wholeNumber(
  flag: string,
  text: string | undefined,
  { fallback, min, max }: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new Error(`${flag} must be a whole number from ${min} to ${max}, not "${text}".`);
}

function toProgram(text: string, folder: string): string {
  const program = text.includes('/') ? resolve(folder, text) : findOnPath(text);
  if (program !== undefined && isExecutable(program)) return program;
  throw new Error(`--br must name a program that can be executed; "${text}" is none.`);
}

function toAddresses(text: string): string[] {
  const addresses = text.split(',').map((address) => address.trim());
  const wrong = addresses.find((address) => !/^[^\s/:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/.test(address));
  if (wrong === undefined) return addresses;
  throw new Error(`--pd must be host:port, several separated by commas; "${wrong}" is none.`);
}

function toFolder(text: string, folder: string): string {
  if (/^(local|file):\/\//.test(text)) {
    const path = fileURLToPath(text.replace(/^local:/, 'file:'));
    if (isAbsolute(path)) return path;
  }
  if (!text.includes('://')) return resolve(folder, text);
  throw new Error(
    `--storage must be a folder or a local:// URL; "${text}" is a kind of storage that does not work yet.`,
  );
}
