import { readFileSync } from 'node:fs';

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

export interface NumberLimits {
  readonly default: number;
  readonly min?: number;
  readonly max?: number;
}

/** An address as host and port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads settings by name; what is wrong is remembered and thrown by `finish`. */
export interface ConfigReader {
  /** A text; without a default it is required. */
  text(name: string, fallback?: string): string;
  integer(name: string, limits: NumberLimits): number;
  /** A duration written in seconds, fractions allowed; the answer is in milliseconds. `limits` are in seconds. */
  seconds(name: string, limits: NumberLimits): number;
  /** `true`, `1`, `yes` or `false`, `0`, `no`. */
  flag(name: string, fallback: boolean): boolean;
  /** Comma-separated texts, without blanks and empty parts. */
  list(name: string, fallback: readonly string[]): string[];
  oneOf<T extends string>(name: string, values: readonly T[], fallback: T): T;
  /** A text that must not be seen: from `NAME`, or from the file that `NAME_FILE` names. */
  secret(name: string): string | undefined;
  /** `host:port`. */
  address(name: string, fallback?: string): Address;
  /** Remembers a problem between several settings. */
  problem(sentence: string): void;
  /** @throws ConfigError naming every problem that was met */
  finish(): void;
}

/** A reader over `env`. */
export function configReader(env: Env): ConfigReader {
  const problems: string[] = [];
  const number = (name: string, limits: NumberLimits, kind: string, valid: (value: number) => boolean): number => {
    const text = env[name];
    if (text === undefined) return limits.default;
    const value = Number(text);
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = limits;
    if (valid(value) && value >= min && value <= max) return value;
    problems.push(`${name} must be ${kind} from ${min} to ${max}, not "${text}"`);
    return limits.default;
  };
  return {
    text(name, fallback) {
      const value = env[name] ?? fallback;
      if (value === undefined) problems.push(`${name} must be set`);
      return value ?? '';
    },
    integer: (name, limits) => number(name, limits, 'a whole number', Number.isSafeInteger),
    seconds: (name, limits) => Math.round(number(name, limits, 'a number of seconds', Number.isFinite) * 1000),
    flag(name, fallback) {
      const text = env[name]?.toLowerCase();
      if (text === undefined) return fallback;
      if (['true', '1', 'yes'].includes(text)) return true;
      if (!['false', '0', 'no'].includes(text)) problems.push(`${name} must be true or false, not "${text}"`);
      return false;
    },
    list(name, fallback) {
      const parts = env[name]
        ?.split(',')
        .map((part) => part.trim())
        .filter(Boolean);
      return parts ?? [...fallback];
    },
    oneOf(name, values, fallback) {
      const text = env[name] ?? fallback;
      const value = values.find((candidate) => candidate === text);
      if (value === undefined) problems.push(`${name} must be one of ${values.join(', ')}, not "${text}"`);
      return value ?? fallback;
    },
    secret(name) {
      const file = env[`${name}_FILE`];
      if (file === undefined) return env[name];
      try {
        return readFileSync(file, 'utf8').trim() || undefined;
      } catch (error) {
        problems.push(`${name}_FILE names ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code})`);
        return undefined;
      }
    },
    address(name, fallback) {
      const text = env[name] ?? fallback;
      const parts = /^(.+):(\d{1,5})$/.exec(text ?? '');
      const port = Number(parts?.[2]);
      if (parts?.[1] && port <= 65_535) return { host: parts[1], port };
      problems.push(
        text === undefined ? `${name} must be set to host:port` : `${name} must be host:port, not "${text}"`,
      );
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
