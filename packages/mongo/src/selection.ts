/** What a list is about, and where in it a page begins. */
import type { Document } from 'mongodb';

/** Behind one of a list. */
export interface Position {
  /** How many come before. */
  readonly before: number;
  readonly at: Date;
  /** Of those of that instant the ones with a smaller id follow; empty: none of them. */
  readonly id: string;
  /** How long a span behind it can be looked through soon, in milliseconds, as far as that is known. */
  readonly span?: number;
}

/** What a list is about. */
export interface Selection {
  /** From when on, in milliseconds. */
  readonly from: number;
  /** Before when. */
  readonly until: number;
  /**
   * Parts that together are all of it and have nothing in common. With the time an index leads to each: what else narrows
   * is not in here, as some servers would then use none.
   */
  readonly parts: readonly Document[];
  /** What else must hold. */
  readonly rest: Document;
  /** A field and its values, where they are too many to ask for. */
  readonly among?: { readonly field: string; readonly values: ReadonlySet<string> };
  /** The same by its time alone, where its parts have an index without it: they are looked at whole first. */
  readonly byTime?: Selection;
  /** Whether its total is to be exact beyond the bound. */
  readonly isCountedWhole: boolean;
}

/** The first and the last instant that a database keeps of what is listed. */
export const FIRST_INSTANT = 1;
export const LAST_INSTANT = Date.parse('9999-01-01T00:00:00Z');

/** With so many values of a field each is looked through by itself, with its index. */
const FEW_VALUES = 10;

/** Parts of a selection by values of a field that has an index with the time; none means any. */
export function toParts(field: string, values: readonly string[]): Pick<Selection, 'parts' | 'rest' | 'among'> {
  const different = new Set(values);
  if (different.size === 0) return { parts: [{}], rest: {} };
  if (different.size <= FEW_VALUES) return { parts: [...different].map((value) => ({ [field]: value })), rest: {} };
  // Some servers compare each record with each value that is asked for, one by one.
  return { parts: [{}], rest: {}, among: { field, values: different } };
}
