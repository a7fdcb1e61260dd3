/**
 * Tasks that a worker gives back because of what is wrong with that worker: a storage out of its reach, no `br` that fits.
 *
 * H1. It is no failure of the backup: nothing is counted, and no attempt is kept for which no `br` was announced.
 * H2. A worker that said so a moment ago, or says so with its claim, is left alone while another one may do the task; with
 *     no other it is asked again, later each time, since only a fresh look shows whether things are well again.
 * H3. Once every present worker of the pool has said so, the task fails, unless the reason may pass by itself or `br` has
 *     been in the path, where a finished backup may lie. Its deadline ends what waits so, but for the latter: that waits for
 *     a worker that can look.
 * H4. A task that is left to others rests for a moment that nobody can foresee: else two tasks, each of which one of two workers cannot
 *     do, are handed to the wrong one again and again, since the broker takes turns.
 */
import { MAX_HAND_BACKS, MAX_NAMED_WORKERS } from '@tidemark/limits/limits';
import { plus } from '@tidemark/task/time';
import type { Backup, HandBack, Reason } from '../backup.ts';
import type { Peer } from './command.ts';
import { mayHoldFiles } from './vocabulary.ts';

/** For how long a worker that gave a task back is not asked again while others may do it. */
export const SPARED_MS = 60_000;
/** For how long it counts that a worker said so, where its presence does not say so. */
const SAID_MS = 15 * 60_000;
/** When it rings again if all others are busy. */
const BUSY_MS = 10_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
const MOST_DOUBLINGS = 10;

const handBacksOf = ({ handBacks = [] }: Pick<Backup, 'handBacks'>) => handBacks;

/** Whether the claim's task was given back under it: then what it reports is a repeat. */
export function gaveBack(backup: Backup, claim: string): boolean {
  return handBacksOf(backup).some((one) => one.claim === claim);
}

/** Nobody has given the task back. */
export function withoutHandBacks(backup: Backup): Backup {
  return handBacksOf(backup).length === 0 ? backup : { ...backup, handBacks: [] };
}

/** What workers said when they gave the task back counts no longer; that these claims were used stays known. */
export function withOldHandBacks(backup: Backup): Backup {
  if (handBacksOf(backup).length === 0) return backup;
  return { ...backup, handBacks: handBacksOf(backup).map((one) => ({ ...one, at: new Date(0), times: 0 })) };
}

/** Takes down that a worker gave the task back. */
export function withHandBack(
  backup: Backup,
  told: Omit<HandBack, 'times'>,
): Backup & { handBacks: readonly HandBack[] } {
  const before = handBacksOf(backup).find(({ instance }) => instance === told.instance);
  const others = handBacksOf(backup).filter((one) => one !== before);
  return { ...backup, handBacks: [...others, { ...told, times: (before?.times ?? 0) + 1 }].slice(-MAX_HAND_BACKS) };
}

/** How long a task rests after a worker gave it back so many times. */
export function pauseAfter(times: number, shortestMs: number): number {
  return Math.min(LONGEST_PAUSE_MS, shortestMs * 2 ** Math.min(times - 1, MOST_DOUBLINGS));
}

/**
 * When the task rings again if it is left to others than the worker that claims it; undefined where the worker is to have
 * it (H2).
 */
export function leftToOthers(
  backup: Backup,
  {
    instance,
    outOfReach,
    peers,
    passOnMs = 0,
  }: {
    readonly instance?: string;
    readonly outOfReach?: true;
    readonly peers?: readonly Peer[];
    readonly passOnMs?: number;
  },
  now: Date,
): Date | undefined {
  const spared = (one: string | undefined) =>
    handBacksOf(backup).some((told) => told.instance === one && plus(told.at, SPARED_MS) > now);
  if (!outOfReach && !spared(instance)) return undefined;
  const others = (peers ?? []).filter(
    (peer) => peer.instance !== instance && !peer.outOfReach && !spared(peer.instance),
  );
  if (others.length === 0) return undefined;
  return plus(now, others.some(({ free }) => free) ? passOnMs : BUSY_MS);
}

/** What every present worker said, if all of them did; undefined while one may still do the task. */
export function saidByAll(
  backup: Backup,
  peers: readonly Peer[],
  last: HandBack,
  now: Date,
): { readonly reason: Reason; readonly final: boolean } | undefined {
  const others = peers.filter(({ instance }) => instance !== last.instance);
  const counts = ({ at, storage }: HandBack) => plus(at, storage ? SPARED_MS : SAID_MS) > now;
  const told = (peer: Peer) => handBacksOf(backup).find((one) => one.instance === peer.instance && counts(one));
  const said = others.map((peer) => peer.outOfReach ?? told(peer));
  if (!said.every((one) => one !== undefined)) return undefined;
  const all = [last, ...said.map((one, index) => ({ ...one, worker: others[index]?.worker ?? '' }))];
  return {
    reason: all.length === 1 ? last.reason : { ...last.reason, message: named(all, backup.target.pool) },
    final: all.every(({ passing }) => !passing) && !mayHoldFiles(backup, backup.path),
  };
}

/** Who gave the task back, and why, as a text; empty where nobody did. */
export function whoGaveBack(backup: Backup): string {
  return lines(handBacksOf(backup)).join('\n');
}

function named(all: readonly Pick<HandBack, 'worker' | 'reason'>[], pool: string): string {
  return `No worker of pool ${pool} can do it. ${lines(all).join(' ')}`;
}

function lines(all: readonly Pick<HandBack, 'worker' | 'reason'>[]): string[] {
  const told = all.slice(0, MAX_NAMED_WORKERS).map(({ worker, reason }) => `${worker}: ${reason.message}`);
  return all.length > MAX_NAMED_WORKERS ? [...told, `And ${all.length - MAX_NAMED_WORKERS} more.`] : told;
}
