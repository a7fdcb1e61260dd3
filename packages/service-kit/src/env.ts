import { MAX_SECRET_SETTING_BYTES } from '@tidemark/limits/limits';
import { readFileWithinSync, whyUnread } from './bounded-read.ts';

/**
 * The environment is read here and nowhere else, and reading is kept apart from deciding: `readEnv` only reads,
 * a service's `toConfig` only decides, through a reader that collects every problem before it complains.
 */
export type Env = Readonly<Record<string, string | undefined>>;

/** The environment of this process; a variable that is empty or blank counts as not set. */
export function readEnv(): Env {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value?.trim() ? [[name, value.trim()]] : [])),
  );
}

/** Thrown at start when settings are wrong; its message names every one of them, a line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The settings cannot be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** What is documented of a setting; `docs/settings.md` is made of it. */
interface Described {
  /** A sentence. */
  readonly about: string;
  /** How a default is documented that is found out and not the same everywhere. */
  readonly shown?: string;
}

export interface NumberLimits extends Described {
  readonly default: number;
  readonly min?: number;
  readonly max?: number;
}

/** A setting as a process reads it. */
export interface Setting {
  readonly name: string;
  /** How it is written. */
  readonly kind: string;
  readonly about: string;
  /** Undefined where it must be set, or where leaving it out has a meaning of its own. */
  readonly default: string | undefined;
  readonly required: boolean;
}

export type OnRead = (setting: Setting) => void;

/** An address as host and port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads settings by name; what is wrong is remembered and thrown by `finish`. */
export interface ConfigReader {
  /** A text; without a default it is required. */
  text(name: string, options: Described & { readonly default?: string }): string;
  integer(name: string, limits: NumberLimits): number;
  /** A duration written in seconds, fractions allowed; the answer is in milliseconds. `limits` are in seconds. */
  seconds(name: string, limits: NumberLimits): number;
  /** `true`, `1`, `yes` or `false`, `0`, `no`. */
  flag(name: string, options: Described & { readonly default: boolean }): boolean;
  /** Comma-separated texts, without blanks and empty parts. */
  list(name: string, options: Described & { readonly default: readonly string[] }): string[];
  /** A text that must not be seen: from `NAME`, or from the file that `NAME_FILE` names, which must then hold one. */
  secret(name: string, options: Described & { readonly required?: true }): string | undefined;
  /** `host:port`. */
  address(name: string, options: Described & { readonly default: string }): Address;
  /** Remembers a problem between several settings. */
  problem(sentence: string): void;
  /** @throws ConfigError naming every problem that was met */
  finish(): void;
}

/** As people write a number: `Number` takes `0x10` and `1e3`, too. */
const DECIMAL = /^[+-]?\d+(\.\d+)?$/;

/** What a file of one secret holds, or why it is of no use, as the end of a sentence about it. */
export function readSecretFile(path: string): { readonly secret: string } | { readonly why: string } {
  try {
    const secret = readFileWithinSync(path, MAX_SECRET_SETTING_BYTES).toString('utf8').trim();
    return secret === '' ? { why: 'is empty: write the secret into it' } : { secret };
  } catch (error) {
    return { why: whyUnread(error) };
  }
}

/**
 * A reader over `env`.
 *
 * @param onRead hears of each setting that is read
 */
export function configReader(env: Env, onRead: OnRead = () => undefined): ConfigReader {
  const problems: string[] = [];
  const read = (
    name: string,
    kind: string,
    { about, shown, default: fallback, required = false }: Described & { default?: unknown; required?: boolean },
  ): string | undefined => {
    const documented = shown ?? String(fallback ?? '');
    onRead({ name, kind, about, required, default: documented === '' ? undefined : documented });
    return env[name];
  };
  const number = (name: string, limits: NumberLimits, kind: string, valid: (value: number) => boolean): number => {
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = limits;
    const text = read(name, max === Number.MAX_SAFE_INTEGER ? kind : `${kind} from ${min} to ${max}`, limits);
    if (text === undefined) return limits.default;
    const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
    if (valid(value) && value >= min && value <= max) return value;
    problems.push(`${name} must be ${kind} from ${min} to ${max}, not "${text}"`);
    return limits.default;
  };
  return {
    text(name, options) {
      const required = options.default === undefined;
      const value = read(name, 'a text', { ...options, required }) ?? options.default;
      if (value === undefined) problems.push(`${name} must be set`);
      return value ?? '';
    },
    integer: (name, limits) => number(name, limits, 'a whole number', Number.isSafeInteger),
    seconds: (name, limits) => Math.round(number(name, limits, 'a number of seconds', Number.isFinite) * 1000),
    flag(name, options) {
      const text = read(name, '`true` or `false`', options)?.toLowerCase();
      if (text === undefined) return options.default;
      if (['true', '1', 'yes'].includes(text)) return true;
      if (!['false', '0', 'no'].includes(text)) problems.push(`${name} must be true or false, not "${text}"`);
      return false;
    },
    list(name, options) {
      const parts = read(name, 'texts with commas between them', options)
        ?.split(',')
        .map((part) => part.trim())
        .filter(Boolean);
      return parts ?? [...options.default];
    },
    secret(name, options) {
      const value = read(name, `a text, or \`${name}_FILE\` names a file that holds it`, options);
      const file = env[`${name}_FILE`];
      const found = file === undefined ? { secret: value ?? '' } : readSecretFile(file);
      if ('why' in found) problems.push(`${name}_FILE names ${file}, which ${found.why}`);
      else if (found.secret !== '') return found.secret;
      else if (options.required) problems.push(`${name} (or ${name}_FILE) must be set`);
      return undefined;
    },
    address(name, options) {
      const text = read(name, '`host:port`', options) ?? options.default;
      const parts = /^(.+):(\d{1,5})$/.exec(text);
      const port = Number(parts?.[2]);
      if (parts?.[1] && port <= 65_535) return { host: parts[1], port };
      problems.push(`${name} must be host:port, not "${text}"`);
      return { host: '', port: 0 };
    },
    problem: (sentence) => void problems.push(sentence),
    finish() {
      if (problems.length > 0) throw new ConfigError(problems);
    },
  };
}

/** Picks the variables whose names start with one of `prefixes`: how a storage's credentials reach the child's environment. */
export function envWithPrefixes(env: Env, prefixes: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && prefixes.some((prefix) => entry[0].startsWith(prefix)),
    ),
  );
}
