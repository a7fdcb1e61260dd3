import { isCleanAbsolutePath } from '@tidemark/br-options/names';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { ID_SENTENCE, isId } from '@tidemark/limits/id';
import { MAX_SHORT_TEXT } from '@tidemark/limits/limits';

const POOL = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;
const VERSION = /^v?\d+\.\d+\.\d+([-+.][A-Za-z0-9.+-]+)?$/;

/** Collects what is wrong with a request, so that one answer says all of it. */
export interface Validation {
  /** Adds a violation unless `fine`. */
  require(fine: boolean, field: string, description: string): void;
  id(field: string, value: string): void;
  /** Adds what another validator found. */
  add(found: readonly FieldViolation[]): void;
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
    id: (field, value) => require(isId(value), field, ID_SENTENCE),
    add: (found) => void violations.push(...found),
    finish() {
      if (violations.length > 0) throw invalidArgument(violations);
    },
  };
}

export const isPool = (text: string): boolean => POOL.test(text);
export const isVersion = (text: string): boolean => VERSION.test(text);
export const isShortText = (text: string): boolean => text.length <= MAX_SHORT_TEXT && !/\p{Cc}/u.test(text);

/** Relative and clean, such as nfs/em/backup. */
export function isCleanRelativePath(path: string): boolean {
  return path.length <= MAX_SHORT_TEXT && /^[A-Za-z0-9._/-]+$/.test(path) && isCleanAbsolutePath(`/${path}`);
}
