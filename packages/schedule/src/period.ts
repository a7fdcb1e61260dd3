/** A daily window in local time: minutes since midnight. Equal ends, and 0:00-24:00, are a whole day. */
export interface Period {
  readonly start: number;
  /** Up to 1440; not after `start` means that the window ends on the next day. */
  readonly end: number;
  /** As it was written, without blanks. */
  readonly text: string;
}

const PERIOD = /^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/;
const DAY = 24 * 60;

/** Reads `H:MM-H:MM`; undefined for anything else. 24:00 is only an end. */
export function parsePeriod(written: string): Period | undefined {
  const text = written.replaceAll(/[ \t]/g, '');
  const parts = PERIOD.exec(text)?.slice(1).map(Number);
  if (!parts) return undefined;
  const [startHour = 0, startMinute = 0, endHour = 0, endMinute = 0] = parts;
  const start = startHour * 60 + startMinute;
  const end = endHour * 60 + endMinute;
  if (startMinute > 59 || endMinute > 59 || start >= DAY || end > DAY) return undefined;
  return { start, end, text };
}
