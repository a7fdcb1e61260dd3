/** Durations, sizes and numbers in few words. Pure. */

const SECOND = 1;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS: readonly (readonly [seconds: number, name: string])[] = [
  [DAY, 'd'],
  [HOUR, 'h'],
  [MINUTE, 'min'],
  [SECOND, 's'],
];

/** Such as "3 d 4 h": the two largest units, the second only where it is not 0. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const first = UNITS.findIndex(([unit]) => whole >= unit);
  const [large, name] = UNITS[first] ?? [SECOND, 's'];
  const [small, next] = UNITS[first + 1] ?? [0, ''];
  const rest = small === 0 ? 0 : Math.floor((whole % large) / small);
  const count = first === -1 ? 0 : Math.floor(whole / large);
  return rest > 0 && count < 10 ? `${count} ${name} ${rest} ${next}` : `${count} ${name}`;
}

/** Such as "3 h ago", "in 20 min", "just now". */
export function fromNow(thenMs: number, nowMs: number): string {
  const seconds = (nowMs - thenMs) / 1_000;
  if (Math.abs(seconds) < 5) return 'just now';
  return seconds > 0 ? `${coarse(seconds)} ago` : `in ${coarse(-seconds)}`;
}

/** The largest unit alone. */
export function coarse(seconds: number): string {
  const [unit, name] = UNITS.find(([one]) => seconds >= one) ?? [SECOND, 's'];
  return `${Math.floor(seconds / unit)} ${name}`;
}

const SIZES = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** Such as "1.4 GB", by thousands. */
export function bytes(size: bigint | number): string {
  let value = Number(size);
  let unit = 0;
  while (value >= 999.5 && unit < SIZES.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  const text = unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1);
  return `${text} ${SIZES[unit]}`;
}

/** Such as "1 cluster" or "12 clusters". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}
