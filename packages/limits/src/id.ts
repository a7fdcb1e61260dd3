/** What an id is: of a cluster, storage, backup, rule, check or token. Pure. */
import { MAX_ID } from './limits.ts';

/** An id, for a pattern that has more around it. */
export const ID = `[A-Za-z0-9_-]{1,${MAX_ID}}`;
export const ID_PATTERN = new RegExp(`^${ID}$`);

export const ID_SENTENCE = `must be 1 to ${MAX_ID} letters, digits, underscores or dashes`;

export const isId = (text: string): boolean => ID_PATTERN.test(text);
