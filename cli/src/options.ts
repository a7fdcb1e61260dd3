import { parseArgs } from 'node:util';

export const HELP = `Tidemark's command line.

  npm run tidemark -- rebuild --storage <id>            looks for backups whose record is lost, and changes nothing
  npm run tidemark -- rebuild --storage <id> --apply    makes the records that are missing
  npm run tidemark -- token create|list|revoke          who may use the API; token --help tells how
  npm run tidemark -- verify --storage … --path …       reads a backup in its storage; verify --help tells how

For a rebuild a worker walks the storage and reads the manifest (tidemark.json) beside each good backup. For each it is told
  known     the record is there, or the backup was deleted on purpose: nothing is done
  missing   there is no record; --apply makes it
  rebuilt   the record was made
  refused   the manifest cannot be used, or is at odds with a record that is there

Options of rebuild
  --storage <id>        the registered storage to look into
  --pool <name>         whose workers look (default)
  --apply               makes the missing records; without it nothing is changed
  --url <url>           of Tidemark's API, such as http://127.0.0.1:4116
  --token-file <file>   whose content is the token of an admin
  --help                this text

Without --url and --token-file, TIDEMARK_URL and TIDEMARK_TOKEN_FILE count, and without those the .tidemark/connection.json
that npm start writes. Exit code: 0 all is fine, 1 something is not (or was not waited for), 2 wrong usage.
`;

/** What was asked for. */
export type Asked =
  | { readonly command: 'help' }
  | {
      readonly command: 'rebuild';
      readonly storage: string;
      readonly pool: string;
      readonly apply: boolean;
      readonly url?: string;
      readonly tokenFile?: string;
    };

/** The arguments cannot be used; says what would be right. */
export class UsageError extends Error {}

const SPEC = {
  storage: { type: 'string' },
  pool: { type: 'string' },
  apply: { type: 'boolean' },
  url: { type: 'string' },
  'token-file': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/**
 * Decides what the arguments mean.
 *
 * @throws UsageError
 */
export function parseOptions(args: readonly string[]): Asked {
  const { values, positionals } = parse(args);
  const [command, ...rest] = positionals;
  if (values.help) return { command: 'help' };
  if (command === undefined) throw usage('Say what to do, such as "rebuild" or "token list"');
  if (command !== 'rebuild') throw usage(`There is no command "${command}"; there are "rebuild", "token" and "verify"`);
  if (rest.length > 0) throw usage(`"${rest.join(' ')}" is too much: the storage is named with --storage`);
  const { storage, pool = '', apply = false, url, 'token-file': tokenFile } = values;
  if (!storage) throw usage('--storage <id> must name the storage to look into');
  return {
    command,
    storage,
    pool,
    apply,
    ...(url !== undefined && { url }),
    ...(tokenFile !== undefined && { tokenFile }),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: SPEC, allowPositionals: true });
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split('. ');
    throw usage(sentence.replace(/\.$/, ''));
  }
}

function usage(sentence: string): UsageError {
  return new UsageError(`${sentence}. --help tells the rest.`);
}
