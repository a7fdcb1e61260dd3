/** Forms in which Go programs print durations and sizes (br-contract 3.2, 3.4, 3.5). */

const trimZeros = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

/**
 * A duration as Go's `Duration.String()` prints it, such as `4.715509333s`, `1m2.3s`, `3.597416ms`, `1h0m0s`.
 *
 * @param milliseconds not negative; fractions down to nanoseconds count
 */
export function goDuration(milliseconds: number): string {
  const nanoseconds = Math.round(milliseconds * 1e6);
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${trimZeros((nanoseconds / 1e3).toFixed(3))}µs`;
  if (nanoseconds < 1e9) return `${trimZeros((nanoseconds / 1e6).toFixed(6))}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${trimZeros(((nanoseconds - minutes * 60e9) / 1e9).toFixed(9))}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

/** A duration as progress lines round it: one decimal under 10 s, whole seconds above. Takes milliseconds. */
export function progressDuration(milliseconds: number): string {
  const step = milliseconds < 9_950 ? 100 : 1_000;
  return goDuration(Math.round(milliseconds / step) * step);
}

/** Bytes in SI units with four significant digits, such as `71.33kB`. */
export function humanSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** Reads a Go duration such as `1h30m` or `72s` as milliseconds; undefined for anything else. */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)) {
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return total;
}
