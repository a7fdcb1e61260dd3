/** The file of hashed tokens: what the gateway believes, and `tidemark token` and `npm start` write. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ID, ID_PATTERN, ID_SENTENCE } from '@tidemark/limits/id';
import { MAX_NAME, MAX_PROBLEMS, MAX_SHORT_TEXT } from '@tidemark/limits/limits';
import { z } from 'zod';

/** From the least to the most. */
export const TOKEN_ROLES = ['viewer', 'operator', 'admin'] as const;
export type TokenRole = (typeof TOKEN_ROLES)[number];

/** Names under which Tidemark's own processes call each other: nobody else may have them. */
export const RESERVED_NAMES: readonly string[] = ['internal', 'scheduler'];

/** Up to 128 characters, none of which steers a terminal, none at an end that cannot be seen. */
export const NAME = new RegExp(`^(?!\\s)[^\\p{Cc}\\p{Cs}]{1,${MAX_NAME}}(?<!\\s)$`, 'u');

/** Marks that turn a text round, and signs without a width, but for those that join others. */
const MISLEADING = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/u;
/** Callers are looked for by name and by id, and shown as `name (id)`. */
const LIKE_AN_ID = /^([0-9a-f]{12}){1,2}$|\(([0-9a-f]{12}){1,2}\)$/;

/** Says why no token is made of this name; nothing where one can be. Files may hold other names, from before. */
export function newNameProblem(name: string): string | undefined {
  if (!NAME.test(name)) return `must be 1 to ${MAX_NAME} characters that can be seen`;
  if (MISLEADING.test(name)) return 'must not have signs that cannot be seen, or that turn the text round';
  if (LIKE_AN_ID.test(name)) return 'must not look like the id of a token, or end with one in brackets';
  if (RESERVED_NAMES.includes(name)) return `must not be one of ${RESERVED_NAMES.join(', ')}`;
  return undefined;
}

const id = z.string('must be a text').regex(ID_PATTERN, ID_SENTENCE);
const label = z
  .string('must be a text')
  .min(1, 'must not be empty')
  .max(MAX_SHORT_TEXT, `must be at most ${MAX_SHORT_TEXT} characters`);

/** What a token lets its bearer do, whoever vouches for it. */
export const Grant = {
  role: z.enum(TOKEN_ROLES, `must be one of ${TOKEN_ROLES.join(', ')}`),
  clusters: z
    .array(
      z.string('must be a text').regex(new RegExp(`^(\\*|${ID})$`), 'must be the id of a cluster, or *'),
      'must be a list of ids of clusters',
    )
    .default([]),
  labels: z.record(label, label, 'must be an object of labels and their values, such as {"env":"prod"}').default({}),
} as const;

/** Says why the clusters and labels of a grant cannot stand together; nothing where they can. */
export function scopeProblem(
  clusters: readonly string[],
  labels: Readonly<Record<string, string>>,
): string | undefined {
  const limitedByLabels = Object.keys(labels).length > 0;
  if (clusters.includes('*') && limitedByLabels) return 'must not name * beside labels, which would limit nothing';
  if (clusters.length === 0 && !limitedByLabels) return 'must name a cluster, or *, where there are no labels';
  return undefined;
}

// What a later version adds is kept when the file is written again.
const Entry = z
  .looseObject({
    id,
    name: z
      .string('must be a text')
      .regex(NAME, `must be 1 to ${MAX_NAME} characters that can be seen`)
      .refine((name) => !RESERVED_NAMES.includes(name), `must not be one of ${RESERVED_NAMES.join(', ')}`),
    sha256: z.string('must be a text').regex(/^[0-9a-f]{64}$/, 'must be 64 small hexadecimal digits'),
    ...Grant,
    expiresAt: z.iso.datetime({ offset: true, error: 'must be a time such as 2027-01-31T00:00:00Z' }).optional(),
  })
  .superRefine(({ clusters, labels }, context) => {
    const message = scopeProblem(clusters, labels);
    if (message) context.addIssue({ code: 'custom', path: ['clusters'], message });
  });

const TokensFile = z
  .looseObject({ tokens: z.array(Entry, 'must be a list') }, 'must be an object such as {"tokens":[]}')
  .superRefine(({ tokens }, context) => {
    const seen = new Set<string>();
    for (const [index, { id: mine }] of tokens.entries()) {
      if (seen.has(mine))
        context.addIssue({ code: 'custom', path: ['tokens', index, 'id'], message: 'is that of another token too' });
      seen.add(mine);
    }
  });

/** One token, of which only the hash is known. */
export type TokenEntry = z.infer<typeof Entry>;
export type TokensFile = z.infer<typeof TokensFile>;

/** The file cannot be used; the message says where and why, and never what stands there. */
export class TokensFileError extends Error {
  override readonly name = 'TokensFileError';
}

/**
 * Reads the text of a tokens file. One bad entry spoils it all: half a list of who may enter is no list.
 *
 * @throws TokensFileError
 */
export function parseTokensFile(text: string): TokensFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new TokensFileError('it is not JSON'); // the parser's own words quote the file
  }
  const result = TokensFile.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.') || 'it'} ${message}`);
  const more = problems.length > MAX_PROBLEMS ? ` (and ${problems.length - MAX_PROBLEMS} more)` : '';
  throw new TokensFileError(problems.slice(0, MAX_PROBLEMS).join('; ') + more);
}

/** The hash under which a token is known, in hexadecimal. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Looks at every token, so that the time taken tells nothing of how nearly one was guessed. */
export function findToken<T extends { readonly digest: Buffer }>(
  known: readonly T[],
  presented: string,
): T | undefined {
  const digest = createHash('sha256').update(presented).digest();
  let found: T | undefined;
  for (const token of known) if (timingSafeEqual(token.digest, digest)) found = token;
  return found;
}

/** Whether a token is over at `now`, in milliseconds since 1970. */
export function isExpired({ expiresAt }: Pick<TokenEntry, 'expiresAt'>, now: number): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= now;
}
