/**
 * The rules of a table filter, as BR reads them (tidb: pkg/util/table-filter): `database.table`, each with wildcards or in quotes, `!`
 * in front to exclude. Names are compared in any case, and the last rule that matches decides. Pure.
 */
import type { FieldViolation } from '@tidemark/errors/app-error';
import { MAX_FILTER, MAX_FILTERS, MAX_FILTERS_BYTES, MAX_NAMED, MAX_QUOTED_NAME } from '@tidemark/limits/limits';

/** A name that is said letter for letter, or a pattern; both in lower case. */
type NamePattern =
  | { readonly kind: 'exact'; readonly name: string }
  | { readonly kind: 'wildcard'; readonly tokens: readonly Token[] };

type Token =
  | { readonly kind: 'letter'; readonly letter: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'many' }
  | { readonly kind: 'class'; readonly isNegated: boolean; readonly ranges: readonly Range[] };

type Range = readonly [first: string, last: string];

/** One rule of a filter. */
export interface TableRule {
  /** As it was written. */
  readonly text: string;
  /** It takes away what rules before it chose. */
  readonly isNegated: boolean;
  readonly database: NamePattern;
  readonly table: NamePattern;
}

/** What rules choose of a backup. */
export interface TableFilter {
  readonly rules: readonly TableRule[];
  choosesTable(database: string, table: string): boolean;
  /** Whether a database is chosen as such, be it without any table. */
  choosesDatabase(database: string): boolean;
}

/** What the databases of the system are called, and what those of `br` begin with; in lower case. */
const SYSTEM = new Set([
  'mysql',
  'sys',
  'information_schema',
  'performance_schema',
  'metrics_schema',
  'inspection_schema',
]);
const TEMPORARY = '__tidb_br_temporary_';

/**
 * What comes last in every filter that `br` gets: without a filter it leaves these databases out by itself, and with one it does
 * not.
 */
const WITHOUT_SYSTEM: readonly string[] = ['!__TiDB_BR_Temporary_*.*', ...[...SYSTEM].map((name) => `!${name}.*`)];

/** The rules that `br` gets: those that were given, in their order, and none of the databases of the system. */
export const withoutSystem = (filter: readonly string[]): string[] =>
  filter.length === 0 ? [] : [...filter, ...WITHOUT_SYSTEM];

/**
 * What is wrong with the filter of a restore, under its field. Of one with too many rules none is looked at.
 *
 * @param field the name of the field that holds the rules
 */
export function tableFilterViolations(filter: readonly string[], field: string): FieldViolation[] {
  if (filter.length === 0) return [];
  if (filter.length > MAX_FILTERS) return [{ field, description: `must be at most ${MAX_FILTERS} rules` }];
  const read = filter.map(readRule);
  const found = read.flatMap((rule, index): FieldViolation[] => {
    const description = 'problem' in rule ? rule.problem : systemProblem(rule);
    return description === undefined ? [] : [{ field: `${field}[${index}]`, description }];
  });
  if (found.length > 0) return found;
  const bytes = filter.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0);
  if (bytes > MAX_FILTERS_BYTES)
    return [{ field, description: `must be at most ${MAX_FILTERS_BYTES} bytes together; wildcards help` }];
  if (read.every((rule) => !('problem' in rule) && rule.isNegated))
    return [{ field, description: 'must choose something: rules that begin with ! only take away' }];
  return [];
}

function systemProblem({ isNegated, database }: TableRule): string | undefined {
  if (isNegated || database.kind !== 'exact' || !isOfSystem(database.name)) return undefined;
  return 'must not name a database of the system: users and grants come back with the whole backup, by "withSystemTables"';
}

function isOfSystem(database: string): boolean {
  const name = database.toLowerCase();
  return SYSTEM.has(name) || name.startsWith(TEMPORARY);
}

/** The filter of rules that were found right; one that is not chooses nothing. */
export function readTableFilter(filter: readonly string[]): TableFilter {
  const rules = filter.map(readRule).flatMap((rule) => ('problem' in rule ? [] : [rule]));
  return {
    rules,
    choosesTable(database, table) {
      const last = rules.findLast((rule) => matches(rule.database, database) && matches(rule.table, table));
      return last !== undefined && !last.isNegated;
    },
    choosesDatabase(database) {
      const last = rules.findLast((rule) => matches(rule.database, database) && isEverything(rule.table));
      return last !== undefined && !last.isNegated;
    },
  };
}

/** Whether the rule is about a table of that database. */
export const isAboutTable = ({ database, table }: TableRule, databaseName: string, tableName: string): boolean =>
  matches(database, databaseName) && matches(table, tableName);

export const isAboutDatabase = ({ database }: TableRule, databaseName: string): boolean =>
  matches(database, databaseName);

/** The first few rules of a filter, for a sentence. */
export function namedRules(filter: readonly string[]): string {
  const more = filter.length - MAX_NAMED;
  const short = (rule: string) => (rule.length > MAX_QUOTED_NAME ? `${rule.slice(0, MAX_QUOTED_NAME)}…` : rule);
  return `${filter.slice(0, MAX_NAMED).map(short).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const isEverything = (pattern: NamePattern): boolean =>
  pattern.kind === 'wildcard' && pattern.tokens.length === 1 && pattern.tokens[0]?.kind === 'many';

type Unread = { readonly problem: string };
const unread = (problem: string): Unread => ({ problem });

const SHAPE = 'must name a database and a table, such as shop.orders or shop.*';

function readRule(text: string): TableRule | Unread {
  if (text.length > MAX_FILTER || !/^\P{Cc}*$/u.test(text))
    return unread(`must be a rule such as shop.*, of at most ${MAX_FILTER} characters`);
  if (/^[\s!]*@/.test(text)) return unread('must not name a file: write the rules themselves, such as shop.*');
  const isNegated = text.startsWith('!');
  const database = readName(isNegated ? text.slice(1) : text);
  if ('problem' in database) return database;
  if (!database.rest.startsWith('.')) return unread(SHAPE);
  const table = readName(database.rest.slice(1));
  if ('problem' in table) return table;
  if (table.rest !== '') return unread(SHAPE);
  return { text, isNegated, database: database.pattern, table: table.pattern };
}

interface ReadName {
  readonly pattern: NamePattern;
  /** What comes after it. */
  readonly rest: string;
}

const QUOTED = /^(?:"((?:""|[^"])+)"|`((?:``|[^`])+)`)/;

function readName(text: string): ReadName | Unread {
  if (text === '') return unread(SHAPE);
  if (text.startsWith('/'))
    return unread('must not be a regular expression: write names and wildcards, such as shop.*');
  if (!/^["`]/.test(text)) return readUnquoted(text);
  const [whole, double, back] = QUOTED.exec(text) ?? [];
  if (whole === undefined) return unread('has quotes that are not closed, or nothing between them');
  const name = double?.replaceAll('""', '"') ?? back?.replaceAll('``', '`') ?? '';
  return { pattern: { kind: 'exact', name: name.toLowerCase() }, rest: text.slice(whole.length) };
}

/** What may stand in a name without quotes. */
const LETTER = /^[$_0-9A-Za-z\u{80}-\u{10ffff}]/u;
const ESCAPED = /^\\([^0-9A-Za-z\u{80}-\u{10ffff}])/u;
/** A `!` after the bracket negates, and something must follow it. */
const CLASS = /^\[(!|(?!!))((?:\\[^0-9A-Za-z\u{80}-\u{10ffff}]|[^\\\]])+)\]/u;

function readUnquoted(text: string): ReadName | Unread {
  const tokens: Token[] = [];
  let rest = text;
  while (rest !== '' && !rest.startsWith('.')) {
    const read = readToken(rest);
    if ('problem' in read) return read;
    tokens.push(read.token);
    rest = rest.slice(read.length);
  }
  if (tokens.length === 0) return unread(SHAPE);
  const letters = tokens.map((token) => (token.kind === 'letter' ? token.letter : undefined));
  const isExact = letters.every((letter) => letter !== undefined);
  // BR puts it into a regular expression as it is, where it is the end of a name.
  if (!isExact && /(?<!\\)\$/.test(text.slice(0, text.length - rest.length)))
    return unread('has a $ beside wildcards, which br takes for the end of the name: write \\$');
  return {
    pattern: isExact ? { kind: 'exact', name: letters.join('') } : { kind: 'wildcard', tokens },
    rest,
  };
}

function readToken(text: string): { readonly token: Token; readonly length: number } | Unread {
  if (text.startsWith('*')) return { token: { kind: 'many' }, length: 1 };
  if (text.startsWith('?')) return { token: { kind: 'any' }, length: 1 };
  const letter = ESCAPED.exec(text) ?? LETTER.exec(text);
  if (letter)
    return { token: { kind: 'letter', letter: (letter[1] ?? letter[0]).toLowerCase() }, length: letter[0].length };
  if (text.startsWith('[')) {
    const [whole = '', negation, content = ''] = CLASS.exec(text) ?? [];
    const ranges = rangesOf(content);
    if (!ranges) return unread('has brackets that are no set of letters, such as [a-z] or [!0-9]');
    return { token: { kind: 'class', isNegated: negation === '!', ranges }, length: whole.length };
  }
  const [first = ''] = text;
  return unread(
    first === '\\'
      ? 'has a backslash in front of a letter, a digit or nothing: it may only stand in front of other characters of ASCII'
      : `has "${first}" in a name, which br takes only between quotes, such as \`my-db\`.*`,
  );
}

/** Undefined where it is no set, or one that `br` reads otherwise. */
function rangesOf(content: string): Range[] | undefined {
  if (content === '' || content.includes('[:')) return undefined;
  const letters = [...content.matchAll(/\\(.)|(.)/gu)].map(([whole, escaped]) => ({
    letter: escaped ?? whole,
    isDash: whole === '-',
  }));
  const ranges: Range[] = [];
  for (let at = 0; at < letters.length; at += 1) {
    const first = letters[at]?.letter ?? '';
    const isRange = letters[at + 1]?.isDash === true && at + 2 < letters.length;
    const last = isRange ? (letters[at + 2]?.letter ?? '') : first;
    if (isRange) at += 2;
    if (codeOf(last) < codeOf(first)) return undefined;
    ranges.push([first, last]);
  }
  return ranges;
}

const codeOf = (letter: string): number => letter.codePointAt(0) ?? 0;

function matches(pattern: NamePattern, name: string): boolean {
  const lower = name.toLowerCase();
  return pattern.kind === 'exact' ? pattern.name === lower : matchesWildcards(pattern.tokens, [...lower]);
}

/** In time that grows with the product of both lengths, whatever the wildcards. */
function matchesWildcards(tokens: readonly Token[], letters: readonly string[]): boolean {
  let [token, letter] = [0, 0];
  /** The last `*`, and where what is behind it is tried. */
  let [star, from] = [-1, 0];
  while (letter < letters.length) {
    const wanted = tokens[token];
    if (wanted?.kind === 'many') {
      [star, from] = [token, letter];
      token += 1;
    } else if (wanted && isOne(wanted, letters[letter] ?? '')) {
      token += 1;
      letter += 1;
    } else if (star >= 0) {
      from += 1;
      [token, letter] = [star + 1, from];
    } else return false;
  }
  return tokens.slice(token).every(({ kind }) => kind === 'many');
}

function isOne(token: Token, letter: string): boolean {
  switch (token.kind) {
    case 'letter':
      return token.letter === letter;
    case 'class': {
      const codes = [codeOf(letter), codeOf(letter.toUpperCase())];
      const isIn = token.ranges.some(([first, last]) =>
        codes.some((code) => code >= codeOf(first) && code <= codeOf(last)),
      );
      return isIn !== token.isNegated;
    }
    default:
      return true;
  }
}
