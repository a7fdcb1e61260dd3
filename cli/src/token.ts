/** `tidemark token`: makes, lists and revokes tokens of the API. */
import { randomBytes } from 'node:crypto';
import { hashToken, isExpired, type TokenEntry } from '@tidemark/tokens/tokens-file';
import { changeTokens, readTokens, TokenFileProblem } from './token-file.ts';
import type { AskedOfTokens, NewToken } from './token-options.ts';

export interface TokenDependencies {
  readonly file: string;
  /** Whether the file was named, and so may be new. */
  readonly named: boolean;
  /** Prints a line of what was asked for. */
  readonly say: (line: string) => void;
  /** Prints a line for people, beside it. */
  readonly tell: (line: string) => void;
  readonly stop: AbortSignal;
  /** In milliseconds since 1970. */
  readonly now: number;
}

const TOKEN_BYTES = 32;
const ID_BYTES = 6;
/** So that scanners of repositories and people know one when they see it. */
const PREFIX = 'tdm_';

/** @throws TokenFileProblem */
export async function token(
  asked: Exclude<AskedOfTokens, { command: 'help' }>,
  dependencies: TokenDependencies,
): Promise<void> {
  switch (asked.command) {
    case 'create':
      return create(asked, dependencies);
    case 'list':
      return list(dependencies);
    case 'revoke':
      return revoke(asked.which, dependencies);
  }
}

async function create(wanted: NewToken, { file, named, say, tell, stop }: TokenDependencies): Promise<void> {
  const { name, role, clusters, labels, expiresAt } = wanted;
  const word = PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
  const entry: TokenEntry = {
    id: randomBytes(ID_BYTES).toString('hex'),
    name,
    sha256: hashToken(word),
    role,
    clusters: [...clusters],
    labels: { ...labels },
    ...(expiresAt && { expiresAt: expiresAt.toISOString() }),
  };
  await changeTokens(
    file,
    (tokens) => {
      const same = tokens.find((one) => one.name === name || one.id === name);
      if (same)
        throw new TokenFileProblem(
          `There is a token ${same.name} (${same.id}) already: choose another name, or revoke it first.`,
        );
      return [...tokens, entry];
    },
    { create: named, stop },
  );
  tell(`Made the token ${name} (${entry.id}): ${role} of ${scopeOf(entry)}, ${expiryOf(entry, 0)}.`);
  tell('This is shown once and cannot be found again:');
  say(word);
}

async function list({ file, say, now }: TokenDependencies): Promise<void> {
  const { tokens } = await readTokens(file);
  const rows = tokens.map((entry) => [entry.id, entry.name, entry.role, scopeOf(entry), expiryOf(entry, now)]);
  const table = [['ID', 'NAME', 'ROLE', 'CLUSTERS', 'EXPIRES'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  for (const row of table) say(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
}

async function revoke(which: string, { file, tell, stop }: TokenDependencies): Promise<void> {
  let gone: TokenEntry | undefined;
  await changeTokens(
    file,
    (tokens) => {
      const byName = tokens.filter(({ name }) => name === which);
      const found = tokens.filter(({ id }) => id === which);
      const [first, second] = found.length > 0 ? found : byName;
      if (!first) throw new TokenFileProblem(`There is no token "${which}" in ${file}; token list shows them.`);
      if (second)
        throw new TokenFileProblem(
          `Several tokens are called ${which}: say which by its id, one of ${byName.map(({ id }) => id).join(', ')}.`,
        );
      gone = first;
      return tokens.filter((one) => one !== first);
    },
    { create: false, stop },
  );
  tell(`Revoked the token ${gone?.name} (${gone?.id}); the gateway refuses it a second from now at the latest.`);
}

function scopeOf({ clusters, labels }: TokenEntry): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const named = clusters.includes('*') ? ['*'] : clusters;
  return [named.join(','), pairs.join(' ')].filter(Boolean).join(' and ');
}

function expiryOf(entry: TokenEntry, now: number): string {
  if (entry.expiresAt === undefined) return 'never expires';
  return isExpired(entry, now) ? `expired ${entry.expiresAt}` : `until ${entry.expiresAt}`;
}
