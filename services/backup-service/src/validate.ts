import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';

const ID = /^[A-Za-z0-9_-]{1,64}$/;
const HOST_PORT = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})$/;
const POOL = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;
const VERSION = /^\d+\.\d+\.\d+([-+.][A-Za-z0-9.+-]+)?$/;
const FILTER = /^\P{Cc}{1,512}$/u;
const LONGEST_TEXT = 256;

/** Collects what is wrong with a request, so that the caller is told all of it at once. */
export interface Validation {
  /** Adds a violation unless `fine`. */
  require(fine: boolean, field: string, description: string): void;
  id(field: string, value: string): void;
  /** @throws AppError `invalid_argument` naming every bad field */
  finish(): void;
}

export function validation(): Validation {
  const violations: FieldViolation[] = [];
  const require = (fine: boolean, field: string, description: string) => {
    if (!fine) violations.push({ field, description });
  };
  return {
    require,
    id: (field, value) => require(ID.test(value), field, 'must be 1 to 64 letters, digits, underscores or dashes'),
    finish() {
      if (violations.length > 0) throw invalidArgument(violations);
    },
  };
}

export const isHostPort = (text: string): boolean => {
  const port = Number(HOST_PORT.exec(text)?.[2]);
  return port >= 1 && port <= 65_535;
};
export const isPool = (text: string): boolean => POOL.test(text);
export const isVersion = (text: string): boolean => VERSION.test(text);
export const isTableFilter = (text: string): boolean => FILTER.test(text);
export const isShortText = (text: string): boolean => text.length <= LONGEST_TEXT && !/\p{Cc}/u.test(text);

/** An IANA name; offsets such as +05:30 are none. */
export function isTimeZone(text: string): boolean {
  if (text !== 'UTC' && !text.includes('/')) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return true;
  } catch {
    return false; // a RangeError is how Intl says no
  }
}

/** Absolute, without `.`, `..`, doubled or trailing slashes, and deeper than the root folder. */
export function isCleanAbsolutePath(path: string): boolean {
  const parts = path.split('/');
  return (
    path.startsWith('/') &&
    path.length <= 1_024 &&
    !path.includes('\0') &&
    parts.slice(1).every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/** Relative and clean, such as nfs/em/backup. */
export function isCleanRelativePath(path: string): boolean {
  return /^[A-Za-z0-9._/-]{1,256}$/.test(path) && isCleanAbsolutePath(`/${path}`);
}
