/** Moments as people type and read them: of a day, a time and a zone. Pure. */

export type ReadMoment = { readonly ms: number } | { readonly trouble: string };

const FORM =
  /^(?<day>\d{4}-\d\d-\d\d)(?:T|\s+)(?<time>\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)\s*(?<zone>Z|UTC|[+-]\d\d:?\d\d)?$/i;
const MINUTE_MS = 60_000;

/** Minutes by which the zone of this browser is ahead of UTC at a moment. */
export type Ahead = (ms: number) => number;
const localAhead: Ahead = (ms) => -new Date(ms).getTimezoneOffset();

/** Such as 2026-01-31T10:15:00+01:00. Without a zone it is none: nobody guesses which one was meant. */
export function readMoment(text: string, ahead: Ahead = localAhead): ReadMoment {
  const { day = '', time = '', zone } = FORM.exec(text.trim())?.groups ?? {};
  if (day === '') return { trouble: 'A moment is written as 2026-01-31T10:15:00Z or 2026-01-31T10:15:00+01:00.' };
  const utcMs = Date.parse(`${day}T${time}Z`);
  const isThere = !Number.isNaN(utcMs) && new Date(utcMs).toISOString().startsWith(day);
  if (!isThere) return { trouble: `There is no ${day} ${time}.` };
  if (zone === undefined) {
    const own = offsetText(ahead(utcMs - ahead(utcMs) * MINUTE_MS));
    return {
      trouble: `It has no zone: ${day}T${time}Z is of UTC${own === 'Z' ? '' : `, ${day}T${time}${own} of your zone`}.`,
    };
  }
  const offset = minutesOf(zone);
  return offset === undefined ? { trouble: `There is no zone ${zone}.` } : { ms: utcMs - offset * MINUTE_MS };
}

/** Undefined where no zone of the world is so far ahead or behind. */
function minutesOf(zone: string): number | undefined {
  if (/^(Z|UTC)$/i.test(zone)) return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(-2))];
  if (hours > 14 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function offsetText(minutes: number): string {
  if (minutes === 0) return 'Z';
  const two = (number: number) => String(number).padStart(2, '0');
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** In UTC, with milliseconds only where there are some. */
export function isoOf(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
