/** Names that end up on the command line of `br`, or below a storage. Pure. */
import { MAX_PATH } from '@tidemark/limits/limits';

/** Absolute, without `.`, `..`, doubled or trailing slashes, and deeper than the root folder. */
export function isCleanAbsolutePath(path: string): boolean {
  const parts = path.split('/');
  return (
    path.startsWith('/') &&
    path.length <= MAX_PATH &&
    !path.includes('\0') &&
    parts.slice(1).every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/** The path of a backup below its storage: clean, of letters, digits, `.`, `_` and `-`, and at least two folders deep. */
export function isBackupPath(path: string): boolean {
  return /^[A-Za-z0-9._/-]+$/.test(path) && path.includes('/') && isCleanAbsolutePath(`/${path}`);
}

/** A PD without the scheme and the slash that `br` takes, and that mean nothing to it. */
export function plainPdAddress(text: string): string {
  return text.replace(/^https?:\/\//, '').replace(/\/$/, '');
}

/** One PD as `br` takes it: host and port, with or without a scheme. */
export function isPdAddress(text: string): boolean {
  const port = Number(
    /^(?:https?:\/\/)?(?:\[[0-9a-fA-F:.]{2,64}\]|[A-Za-z0-9._-]{1,253}):([0-9]{1,5})$/.exec(text)?.[1],
  );
  return port >= 1 && port <= 65_535;
}
