/** Names of the days as the documented API writes them, Monday first; the index plus one is the ISO number. */
export const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** The days, or the words that are none. */
export type ParsedWeekdays = { readonly days: Weekday[] } | { readonly unknown: string[] };

/** Reads comma-separated names; blanks, case, repeats and empty parts are forgiven, and the order given is kept. */
export function parseWeekdays(text: string): ParsedWeekdays {
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  const days = words.map((word) => WEEKDAYS.find((day) => day.toLowerCase() === word.toLowerCase()));
  const unknown = words.filter((_, index) => days[index] === undefined);
  return unknown.length > 0 ? { unknown } : { days: [...new Set(days.filter((day) => day !== undefined))] };
}

/** Monday is 1 and Sunday is 7. */
export function isoWeekday(day: Weekday): number {
  return WEEKDAYS.indexOf(day) + 1;
}

/** Days from one of the weekdays to the next, at most; undefined where there is none. A single one comes weekly. */
export function longestGapDays(days: readonly string[]): number | undefined {
  const numbers = WEEKDAYS.flatMap((day, index) => (days.includes(day) ? [index] : []));
  const [first] = numbers;
  if (first === undefined) return undefined;
  return Math.max(...numbers.map((number, index) => (numbers[index + 1] ?? first + WEEKDAYS.length) - number));
}
