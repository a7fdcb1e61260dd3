/** Ranges of texts. Pure. */

/** Behind whatever a text goes on with. */
const LAST = '\u{10ffff}';

/** What begins with a text, bounded on both sides, so that every server takes an index of it. */
export function beginningWith(text: string): { readonly $gte: string; readonly $lt: string } {
  return { $gte: text, $lt: text + LAST };
}
