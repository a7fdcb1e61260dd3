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
