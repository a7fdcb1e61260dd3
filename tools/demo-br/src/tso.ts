/**
 * A timestamp as PD gives them out: Unix milliseconds in the upper bits, a counter in the lower 18 (br-contract 7).
 *
 * @param logical 0 to 262143
 */
export function tsoAt(unixMs: number, logical = 1): bigint {
  return (BigInt(Math.floor(unixMs)) << 18n) | BigInt(logical);
}

/** The instant in a TSO, in Unix milliseconds. */
export function tsoMillis(tso: bigint): number {
  return Number(tso >> 18n);
}

/** A TSO and its instant as Go prints both in messages: `470814552020221956(2026-11-30 05:03:04.208 +0000 UTC)`. */
export function tsoText(tso: bigint): string {
  const [day = '', clock = ''] = new Date(tsoMillis(tso)).toISOString().slice(0, -1).split('T');
  return `${tso}(${day} ${clock.replace(/\.?0+$/, '')} +0000 UTC)`;
}
