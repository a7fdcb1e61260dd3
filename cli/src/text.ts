/** How values are written for people. Pure. */

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const KIB = 2 ** 10;
/** How the API writes a time that has not come. */
const NEVER = '0001-01-01T00:00:00Z';
// Steering characters, and those that change the direction or the look of what follows.
const UNPRINTABLE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;
const UNPRINTABLE_IN_TEXT = /[^\P{Cc}\n\t]|[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** What a terminal can show in one line: it comes from servers, and must not steer the terminal. */
export const printable = (text: string): string => text.replaceAll(UNPRINTABLE, '?');

/** The same of a text of several lines. */
export const printableText = (text: string): string => text.replaceAll(UNPRINTABLE_IN_TEXT, '?');

/** JSON for a terminal: the same values, with escapes for what would steer it. */
export const printableJson = (json: string): string =>
  json.replaceAll(UNPRINTABLE_IN_TEXT, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

export function size(bytes: number): string {
  if (bytes >= GIB) return `${(bytes / GIB).toFixed(1)} GiB`;
  if (bytes >= MIB) return `${(bytes / MIB).toFixed(1)} MiB`;
  return bytes >= KIB ? `${(bytes / KIB).toFixed(1)} KiB` : `${bytes} bytes`;
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3_600).toFixed(1)} h`;
  return `${(seconds / 86_400).toFixed(1)} d`;
}

/** Whether a time of the API has come, or is known. */
export function isSet(time: string | undefined): time is string {
  return time !== undefined && time !== '' && time !== NEVER;
}

/** A time of the API in the zone of this machine, to the second; `-` where it has not come. */
export function when(time: string | undefined): string {
  if (!isSet(time)) return '-';
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return time;
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** From one time of the API to another; `-` where one has not come. */
export function between(start: string | undefined, end: string | undefined): string {
  if (!isSet(start) || !isSet(end)) return '-';
  return duration((Date.parse(end) - Date.parse(start)) / 1_000);
}

export const labelsOf = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');

export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : plural}`;
