import { parseArgs } from 'node:util';
import { isId } from '@tidemark/limits/id';
import { NAME, RESERVED_NAMES, scopeProblem, TOKEN_ROLES, type TokenRole } from '@tidemark/tokens/tokens-file';
import { UsageError } from './options.ts';

export const TOKEN_HELP = `Who may use Tidemark's API: a file of hashed tokens, which the gateway reads again by itself when it changes.

  npm run tidemark -- token create --name ci --role operator --clusters orders,stock
  npm run tidemark -- token create --name sre --role admin --clusters '*' --expires 90d
  npm run tidemark -- token create --name shop --role viewer --label env=prod --label team=shop
  npm run tidemark -- token list
  npm run tidemark -- token revoke ci

create prints the token to standard output, once: only its hash is kept. list shows no token. revoke takes the id or the
name; the gateway refuses the token a second later at most.

Options
  --name <name>         of the token, as records and audit lines will show it
  --role <role>         viewer (looks), operator (starts, cancels, deletes, plans), admin (registers clusters, storages)
  --clusters <ids>      separated by commas, or '*' (in quotes, because of the shell) for all
  --label <name=value>  also every cluster that has this label; given several times, it must have all of them
  --expires <when>      90d, 12h, 4w from now, or a date such as 2027-01-31 or 2027-01-31T18:00:00Z; left out: never
  --file <file>         the tokens file (TIDEMARK_TOKENS_FILE, else what npm start uses: .tidemark/secrets/tokens.json)
  --help                this text

Exit code: 0 done, 1 not done, 2 wrong usage.
`;

/** What was asked for, about tokens. */
export type AskedOfTokens =
  | { readonly command: 'help' }
  | { readonly command: 'list'; readonly file?: string }
  | { readonly command: 'revoke'; readonly file?: string; readonly which: string }
  | ({ readonly command: 'create'; readonly file?: string } & NewToken);

/** A token that is to be made. */
export interface NewToken {
  readonly name: string;
  readonly role: TokenRole;
  readonly clusters: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly expiresAt?: Date;
}

const SPEC = {
  name: { type: 'string' },
  role: { type: 'string' },
  clusters: { type: 'string' },
  label: { type: 'string', multiple: true },
  expires: { type: 'string' },
  file: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;
const COMMANDS = ['create', 'list', 'revoke'] as const;
/** Which options a command has beside --file and --help. */
const OPTIONS: Readonly<Record<(typeof COMMANDS)[number], readonly string[]>> = {
  create: ['name', 'role', 'clusters', 'label', 'expires'],
  list: [],
  revoke: [],
};

const HOUR = 3_600_000;
const UNITS: Readonly<Record<string, number>> = { h: HOUR, d: 24 * HOUR, w: 7 * 24 * HOUR };

/**
 * Decides what the arguments after `token` mean.
 *
 * @param now in milliseconds since 1970, from which durations count
 * @throws UsageError
 */
export function parseTokenOptions(args: readonly string[], now: number): AskedOfTokens {
  const { values, positionals } = parse(args);
  if (values.help) return { command: 'help' };
  const [word, ...rest] = positionals;
  const command = COMMANDS.find((one) => one === word);
  if (command === undefined)
    throw usage(`${word === undefined ? 'Say what to do' : `There is no "token ${word}"`}: create, list or revoke`);
  const odd = Object.keys(values).find((name) => name !== 'file' && !OPTIONS[command].includes(name));
  if (odd) throw usage(`--${odd} says nothing to "token ${command}"`);
  const file = values.file === undefined ? {} : { file: values.file };
  if (command === 'revoke') {
    const [which, ...more] = rest;
    if (which === undefined || more.length > 0) throw usage('Name one token to revoke, by its id or its name');
    return { command, which, ...file };
  }
  if (rest.length > 0) {
    const hint = command === 'create' ? `: write --clusters '*' in quotes, and ids with commas and no blanks` : '';
    throw usage(`"${rest[0]}" is too much${hint}`);
  }
  return command === 'list' ? { command, ...file } : { command, ...file, ...toNewToken(values, now) };
}

function toNewToken(values: ReturnType<typeof parse>['values'], now: number): NewToken {
  const { name, role: roleName, expires } = values;
  if (name === undefined || !NAME.test(name)) throw usage('--name must be 1 to 128 characters that can be seen');
  if (RESERVED_NAMES.includes(name)) throw usage(`The name ${name} is for Tidemark's own processes`);
  const role = TOKEN_ROLES.find((one) => one === roleName);
  if (role === undefined) throw usage(`--role must be one of ${TOKEN_ROLES.join(', ')}`);
  const clusters = (values.clusters ?? '')
    .split(',')
    .map((id) => id.trim())
    .filter(Boolean);
  const bad = clusters.find((id) => id !== '*' && !isId(id));
  if (bad !== undefined)
    throw usage(`"${bad}" is no id of a cluster: these are 1 to 64 letters, digits, underscores or dashes`);
  const labels = toLabels(values.label ?? []);
  if (scopeProblem(clusters, labels))
    throw usage(
      clusters.includes('*')
        ? `--clusters '*' beside --label would limit nothing: leave one of them out`
        : `Say which clusters the token is for, with --clusters a,b or --clusters '*' or --label env=prod`,
    );
  return {
    name,
    role,
    clusters: [...new Set(clusters)],
    labels,
    ...(expires !== undefined && { expiresAt: toTime(expires, now) }),
  };
}

function toLabels(texts: readonly string[]): Record<string, string> {
  const labels = new Map<string, string>();
  for (const text of texts) {
    const [, name, value] = /^([^=\p{Cc}]{1,256})=([^\p{Cc}]{1,256})$/u.exec(text) ?? [];
    if (name === undefined || value === undefined) throw usage(`--label must be name=value, such as env=prod`);
    if (labels.has(name) && labels.get(name) !== value)
      throw usage(`No cluster has two values of the label ${name}: make a token for each`);
    labels.set(name, value);
  }
  return Object.fromEntries(labels);
}

function toTime(text: string, now: number): Date {
  const [, count, unit = ''] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  const date = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  const isIso = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(date);
  const time = count === undefined ? (isIso ? Date.parse(date) : Number.NaN) : now + Number(count) * (UNITS[unit] ?? 0);
  if (Number.isNaN(time)) throw usage(`--expires must be like 90d, 12h, 4w, 2027-01-31 or 2027-01-31T18:00:00Z`);
  if (time <= now) throw usage(`--expires ${text} is not in the future`);
  return new Date(time);
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
  return new UsageError(`${sentence}. token --help tells the rest.`);
}
