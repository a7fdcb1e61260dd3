/**
 * Garbage collection in the TiKVs of a target, which a restore to a point in time turns off for the time of its log. Pure.
 *
 * C1. What was off before the first `br` of a restore is told as such, from then on, and never as what this restore left.
 * C2. `br` sets back what it found, and 1.1 where it found it off; whether it could is known only of the TiKVs that say so.
 */
import type { CleanupItem } from './cleanup-item.ts';

/** What the TiKVs of a target said of their garbage collection. */
export interface CollectionLook {
  /** Status addresses of those where it is off. */
  readonly off: readonly string[];
  /** How many did not say. */
  readonly unseen: number;
}

/** What they said before a restore began. */
export interface CollectionBefore extends CollectionLook {
  readonly at: Date;
}

const COLLECT_AGAIN = 'SET CONFIG tikv `gc.ratio-threshold` = 1.1;';
const GOES_ON =
  'Until that is set back, the space of what is deleted is not freed; set it to what it was, which is 1.1 by default.';

/** What is to be told of collection that was off before; none where it was on, or nobody knows. */
export function offBefore(before: CollectionBefore | undefined): CleanupItem[] {
  if (!before || before.off.length === 0) return [];
  const message = `TiKV collected no garbage before this restore began (gc.ratio-threshold was negative at ${before.off.join(', ')}): an earlier restore to a point in time may have left it so, or somebody set it. ${GOES_ON}`;
  return [{ what: 'collectionOff', until: null, message, command: COLLECT_AGAIN, seenAt: before.at }];
}

/** What is to be told after a log may have been replayed; none where every TiKV was seen to collect garbage. */
export function collectionOff(
  look: { readonly at: Date; readonly collection?: CollectionLook } | undefined,
  before: CollectionBefore | undefined,
): CleanupItem[] {
  const { off = [], unseen } = look?.collection ?? {};
  if (off.length === 0 && unseen === 0) return [];
  const item = (message: string): CleanupItem => ({
    ...{ what: 'collectionOff', until: null, message: `${message} ${GOES_ON}`, command: COLLECT_AGAIN },
  });
  if (off.length === 0) {
    const which = unseen === undefined ? 'No TiKV was seen' : `${unseen} of the TiKVs were not seen`;
    return [item(`${which} to collect garbage again: gc.ratio-threshold may be -1 there.${wasOff(before?.off)}`)];
  }
  const sinceBefore = wasOff(before?.off.filter((address) => off.includes(address)));
  const message = `TiKV collects no garbage (gc.ratio-threshold is negative at ${off.join(', ')}).${sinceBefore}`;
  return [{ ...item(message), ...(look && { seenAt: look.at }) }];
}

function wasOff(addresses: readonly string[] = []): string {
  return addresses.length > 0 ? ` It was so before this restore began at ${addresses.join(', ')}.` : '';
}
