import { isId } from '@tidemark/limits/id';
import { newNameProblem, scopeProblem, TOKEN_ROLES, type TokenRole } from '@tidemark/tokens/tokens-file';
import { readDate } from './date.ts';
import { UsageError } from './exit.ts';

/** A token that is to be made. */
export interface NewToken {
  readonly name: string;
  readonly role: TokenRole;
  readonly clusters: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly expiresAt?: Date;
}

/** The options of a new token, as they were given. */
export interface TokenOptions {
  readonly name?: string | undefined;
  readonly role?: string | undefined;
  /** Separated by commas. */
  readonly clusters?: string | undefined;
  readonly label?: readonly string[] | undefined;
  readonly expires?: string | undefined;
}

const IN_FILE = 'token file create';
const HOUR = 3_600_000;
const UNITS: Readonly<Record<string, number>> = { h: HOUR, d: 24 * HOUR, w: 7 * 24 * HOUR };

/**
 * Decides which token the options ask for.
 *
 * @param now in milliseconds since 1970, from which durations count
 * @throws UsageError
 */
export function toNewToken(values: TokenOptions, now: number): NewToken {
  const { name, role: roleName, expires } = values;
  const misnamed = newNameProblem(name ?? '');
  if (name === undefined || misnamed !== undefined) throw usage(`--name ${misnamed}`);
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
    ...(expires !== undefined && { expiresAt: toTime(expires, now, IN_FILE) }),
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

/**
 * When a token ends.
 *
 * @param command whose help tells more
 * @throws UsageError
 */
export function toTime(text: string, now: number, command: string): Date {
  const [, count, unit = ''] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  const time = count === undefined ? readDate(text) : now + Number(count) * (UNITS[unit] ?? 0);
  if (Number.isNaN(time))
    throw usage(`--expires must be like 90d, 12h, 4w, 2027-01-31 or 2027-01-31T18:00:00Z`, command);
  if (time <= now) throw usage(`--expires ${text} is not in the future`, command);
  return new Date(time);
}

function usage(sentence: string, command = IN_FILE): UsageError {
  return new UsageError(`${sentence}. ${command} --help tells the rest.`);
}
