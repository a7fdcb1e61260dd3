import { BrError } from './br-error.ts';
import type { TableName } from './table.ts';

// TiDB's table filter: rules `database.table`, each made a regular expression, as BR does. Names are compared in any case.

/** A rule of a filter. */
export interface FilterRule {
  readonly isPositive: boolean;
  readonly db: RegExp;
  readonly table: RegExp;
  /** Whether it is about all tables of its databases. */
  readonly isOfAll: boolean;
}

/** Whether filters let a table through: the last rule that matches decides. */
export function matchesFilters(filters: readonly string[], { db, table }: TableName): boolean {
  const last = parseFilters(filters).findLast((rule) => rule.db.test(db) && rule.table.test(table));
  return last?.isPositive ?? false;
}

/** Whether a restore makes a database, also where it has no table that filters let through. */
export function matchesDatabase(filters: readonly string[], db: string): boolean {
  const last = parseFilters(filters).findLast((rule) => rule.db.test(db) && (rule.isPositive || rule.isOfAll));
  return last?.isPositive ?? false;
}

/** A name as a rule has it, whatever it is made of. */
export const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

/**
 * Reads filters; what is empty, or behind `#`, is none.
 *
 * @throws BrError in BR's words for one that is no rule
 */
export function parseFilters(filters: readonly string[]): FilterRule[] {
  return filters
    .map((filter) => filter.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((filter) => filter !== '' && !filter.startsWith('#'))
    .map(parseRule);
}

const wrong = (text: string) => new BrError(`at <cmdline>:1: ${text}`);

function parseRule(filter: string): FilterRule {
  if (filter.startsWith('@'))
    throw wrong(`cannot open filter file: open ${filter.slice(1)}: no such file or directory`);
  const isPositive = !filter.startsWith('!');
  const db = parsePattern(isPositive ? filter : filter.slice(1));
  if (db.rest === '') throw wrong('wrong table pattern');
  if (!db.rest.startsWith('.')) throw wrong("syntax error: missing '.' between schema and table patterns");
  const table = parsePattern(db.rest.slice(1));
  if (table.rest !== '') throw wrong('syntax error: stray characters after table pattern');
  return { isPositive, db: expression(db), table: expression(table), isOfAll: table.source === ALL };
}

interface Pattern {
  readonly source: string;
  readonly rest: string;
}

const ALL = '^.*$';
const REGEXP = /^\/((?:\\.|[^/])+)\//;
const DOUBLE_QUOTED = /^"((?:""|[^"])+)"/;
const BACKQUOTED = /^`((?:``|[^`])+)`/;
const CLASS = /^\[!?(?:\\[^0-9a-zA-Z]|[^\\\]])+\]/;
const LITERAL = /^[$_0-9a-zA-Z\u0080-\uffff]/;

function parsePattern(text: string): Pattern {
  if (text === '') throw wrong('syntax error: missing pattern');
  if (text.startsWith('/')) {
    const [whole, source = ''] = REGEXP.exec(text) ?? [];
    if (whole === undefined) throw wrong('syntax error: incomplete regexp');
    return { source, rest: text.slice(whole.length) };
  }
  if (!/^["`]/.test(text)) return parseWildcards(text);
  const [whole, name = ''] = DOUBLE_QUOTED.exec(text) ?? BACKQUOTED.exec(text) ?? [];
  if (whole === undefined) throw wrong('syntax error: incomplete quoted identifier');
  const own = text.startsWith('"') ? name.replaceAll('""', '"') : name.replaceAll('``', '`');
  return { source: `^${escaped(own)}$`, rest: text.slice(whole.length) };
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');

function parseWildcards(text: string): Pattern {
  let source = '';
  let rest = text;
  while (rest !== '' && !rest.startsWith('.')) {
    const [part, length] = parseWildcard(rest);
    source += part;
    rest = rest.slice(length);
  }
  return { source: `^${source}$`, rest };
}

/** The regular expression of what stands at the beginning, and how long that is. */
function parseWildcard(text: string): [source: string, length: number] {
  const [first = '', second] = text;
  switch (first) {
    case '*':
      return ['.*', 1];
    case '?':
      return ['.', 1];
    case '\\':
      if (second === undefined) throw wrong('syntax error: cannot place \\ at end of line');
      if (/[0-9a-zA-Z]/.test(second)) {
        throw wrong(`cannot escape a letter or number (\\${second}), it is reserved for future extension`);
      }
      return [escaped(second), 2];
    case '[': {
      const [whole] = CLASS.exec(text) ?? [];
      if (whole === undefined) throw wrong('syntax error: failed to parse character class');
      // `[^` is nothing special there.
      return [whole.replace(/^\[([!^])/, (_, sign: string) => (sign === '!' ? '[^' : '[\\^')), whole.length];
    }
    default:
      if (!LITERAL.test(first)) throw wrong(`unexpected special character '${first}'`);
      return [escaped(first), first.length];
  }
}

function expression({ source }: Pattern): RegExp {
  try {
    return new RegExp(source, 'is');
  } catch {
    throw wrong('invalid pattern: error parsing regexp');
  }
}
