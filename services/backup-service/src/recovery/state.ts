/**
 * What is known of the snapshots and logs of one cluster, as far as it decides what can be recovered and what may go.
 * Every TSO is a bigint.
 */

/** A backup that succeeded. */
export interface Snapshot {
  readonly id: string;
  /** The point that it holds. */
  readonly tso: bigint;
  /** When a verification found it damaged, and no other found it good since. */
  readonly damagedAt: Date | null;
  /** `asked`: its removal is on record, and no worker has it yet; what lies in a bin is that, too. `claimed`: files may be gone. */
  readonly removal: 'none' | 'asked' | 'claimed';
  /** Who wants it removed. */
  readonly removalBy: 'person' | 'retention' | null;
  readonly pinned: boolean;
  /** Something reads it, such as a restore. */
  readonly held: boolean;
  /** What made it: a rule, a person, or a log that needed a base. */
  readonly origin: 'rule' | 'person' | 'log';
  readonly rule: string | null;
  /** The id that TiDB gave the cluster, decimal; empty: not on record, and it is taken for that of each log. */
  readonly upstreamClusterId: string;
  /** Whether it can be decrypted. */
  readonly keyKnown: boolean;
}

/** A piece of a log that is missing or may not be used. */
export interface Cut {
  readonly from: bigint;
  readonly to: bigint;
  readonly why: string;
  /** Only that no restore may end inside of it; what comes after it can be replayed. */
  readonly crossable: boolean;
}

/** The log of one task, from its start to its end. */
export interface Generation {
  readonly n: number;
  /** What is promised lies between the two, both included; null until it was seen. */
  readonly min: bigint | null;
  readonly max: bigint | null;
  readonly cuts: readonly Cut[];
  /** Its task may still write. */
  readonly open: boolean;
  /** Somebody or something paused it. */
  readonly paused: boolean;
  readonly endedWhy: string | null;
  /** The restores that read it. */
  readonly holds: readonly string[];
  /** A truncation that is under way, until its files are gone. */
  readonly truncating: { readonly until: bigint } | null;
  /** Somebody began it in the place of an earlier log, which is still there: what is taken from it is taken from that, too. */
  readonly inPlaceOf?: number;
  /** As of a snapshot. Null: not on record, and every snapshot is taken for one of the same cluster. */
  readonly upstreamClusterId: string | null;
}

export interface RecoveryState {
  readonly snapshots: readonly Snapshot[];
  readonly generations: readonly Generation[];
}

/** Two points and all between them. */
export interface Span {
  readonly from: bigint;
  readonly to: bigint;
}

/** Those from which can be restored, the oldest first. */
export function usableOf({ snapshots }: RecoveryState): Snapshot[] {
  return snapshots.filter(isUsable).sort((one, other) => compare(one.tso, other.tso));
}

/** The state as it is if every removal that retention asked for, and no worker has yet, is taken back. */
export function withRemovalsTakenBack(state: RecoveryState): RecoveryState {
  return { ...state, snapshots: state.snapshots.map((one) => (canBeTakenBack(one) ? asNotRemoved(one) : one)) };
}

export function canBeTakenBack({ removal, removalBy }: Snapshot): boolean {
  return removal === 'asked' && removalBy === 'retention';
}

/** A snapshot as it would be if nobody had asked for its removal. */
export function asNotRemoved(snapshot: Snapshot): Snapshot {
  return { ...snapshot, removal: 'none', removalBy: null };
}

export function compare(one: bigint, other: bigint): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

export const larger = (one: bigint, other: bigint): bigint => (one > other ? one : other);
export const smaller = (one: bigint, other: bigint): bigint => (one < other ? one : other);

const isUsable = ({ removal, damagedAt, keyKnown }: Snapshot) => removal === 'none' && damagedAt === null && keyKnown;
