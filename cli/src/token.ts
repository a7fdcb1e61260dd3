/** `tidemark token file`: makes, lists and revokes tokens of the file. */
import { randomBytes } from 'node:crypto';
import { hashToken, isExpired, type TokenEntry } from '@tidemark/tokens/tokens-file';
import type { Output } from './output.ts';
import type { Column } from './table.ts';
import { changeTokens, readTokens, TokenFileProblem } from './token-file.ts';
import type { NewToken } from './token-options.ts';

export interface TokenDependencies {
  readonly file: string;
  /** Whether the file was named, and so may be new. */
  readonly named: boolean;
  readonly output: Pick<Output, 'list' | 'word'>;
  /** Prints a line for people, beside it. */
  readonly tell: (line: string) => void;
  readonly stop: AbortSignal;
  /** In milliseconds since 1970. */
  readonly now: number;
}

/** For which clusters a token is. */
interface Scope {
  readonly clusters: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** A token as it is listed. */
interface Shown extends Scope {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly expiresAt?: string;
}

const TOKEN_BYTES = 32;
const ID_BYTES = 6;
/** So that scanners of repositories and people know one when they see it. */
const PREFIX = 'tdm_';

/** Makes a token. @throws TokenFileProblem */
export async function createToken(
  wanted: NewToken,
  { file, named, output, tell, stop }: TokenDependencies,
): Promise<void> {
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
  await output.word({ id: entry.id, name, token: word }, word);
}

/** Lists the tokens. @throws TokenFileProblem */
export async function listTokens({ file, output, now }: TokenDependencies): Promise<void> {
  const { tokens } = await readTokens(file);
  const shown: readonly Shown[] = tokens.map(({ id, name, role, clusters, labels, expiresAt }) => {
    return { id, name, role, clusters, labels, ...(expiresAt !== undefined && { expiresAt }) };
  });
  const columns: readonly Column<Shown>[] = [
    { title: 'ID', of: ({ id }) => id },
    { title: 'NAME', of: ({ name }) => name },
    { title: 'ROLE', of: ({ role }) => role },
    { title: 'CLUSTERS', of: scopeOf },
    { title: 'EXPIRES', of: (entry) => expiryOf(entry, now) },
  ];
  await output.list({ tokens: shown }, shown, columns);
}

/** Revokes a token, by its id or its name. @throws TokenFileProblem */
export async function revokeToken(which: string, { file, tell, stop }: TokenDependencies): Promise<void> {
  let gone: TokenEntry | undefined;
  await changeTokens(
    file,
    (tokens) => {
      const byName = tokens.filter(({ name }) => name === which);
      const found = tokens.filter(({ id }) => id === which);
      const [first, second] = found.length > 0 ? found : byName;
      if (!first) throw new TokenFileProblem(`There is no token "${which}" in ${file}; token file list shows them.`);
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

/** For which clusters it is, in words. */
export function scopeOf({ clusters, labels }: Scope): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const named = clusters.includes('*') ? ['*'] : clusters;
  return [named.join(','), pairs.join(' ')].filter(Boolean).join(' and ');
}

function expiryOf(entry: { readonly expiresAt?: string | undefined }, now: number): string {
  if (entry.expiresAt === undefined) return 'never expires';
  return isExpired(entry, now) ? `expired ${entry.expiresAt}` : `until ${entry.expiresAt}`;
}
