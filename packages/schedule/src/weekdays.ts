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
