import type { Backup } from './backup.ts';

/** The physical part of a TSO, in milliseconds, lies above its 18 bits of a counter. */
const LOGICAL_BITS = 18n;

/** The first TSO of an instant. */
export function tsoAt(instant: Date): bigint {
  return BigInt(instant.getTime()) << LOGICAL_BITS;
}

/** The moment to which a cluster can be brought back with a good backup. */
export function snapshotTime({
  result,
  startTime,
}: Pick<Backup, 'startTime'> & { readonly result: Pick<NonNullable<Backup['result']>, 'tso'> | null }): Date {
  const tso = BigInt(result?.tso ?? 0);
  return tso > 0n ? new Date(Number(tso >> LOGICAL_BITS)) : startTime;
}
