/**
 * What is known to be bad, as a document for each condition of each cluster, storage or rule. It is there from the first time that it is bad.
 *
 * C1. An event goes out where the level changes, and at no other time: what stays bad is told once.
 * C2. The new level and the event that tells of it are one write. The event stays on the document, as `pending`, until every receiver has it
 *     in the outbox. Whoever finds it there spreads it, under the same id.
 * C3. While an event is pending nothing else is decided. Levels are looked at again and again, so nothing is lost by that.
 * C4. A fact that is older than the newest one that was taken in changes nothing. One of a record (C5) is compared with nothing: what a copy that
 *     stood still says of it holds until the next review.
 * C5. A condition that several records make bad is over when the last of them is. It remembers a bounded number; the others are told again
 *     when they change.
 */
import { MAX_CONDITION_RECORDS } from '@tidemark/limits/limits';
import { later } from '@tidemark/task/time';
import { type About, type Condition, isAtLeast, type NotificationEvent, newEvent, type Severity } from './event.ts';

/** How bad it is. */
export type Level = 'good' | Exclude<Severity, 'info'>;

export interface ConditionState {
  /** `<condition>:<subject>`, of which the subject is a cluster, a storage, `<cluster>:<rule>`, or `<cluster>:<alarm>`. */
  readonly _id: string;
  readonly condition: Condition;
  readonly clusterId: string;
  readonly storageId: string;
  readonly level: Level;
  /** Which grade of it was told last, such as `late`. */
  readonly grade: string;
  /** For people, what was told last. */
  readonly text: string;
  /** Since when it has this level and grade. */
  readonly since: Date;
  /** Of the newest fact that was taken in. */
  readonly basis: Date;
  /** The records that make it bad, where it is made of several. */
  readonly records: readonly string[];
  /** The labels of its cluster when it was told last. */
  readonly labels: NotificationEvent['labels'];
  readonly pending: NotificationEvent | null;
  readonly revision: number;
  readonly updateTime: Date;
}

/** What was seen. */
export interface Fact {
  readonly condition: Condition;
  /** As in `ConditionState._id`. */
  readonly subject: string;
  /** When it was so: the end of a backup, the decision about a window, or now. */
  readonly at: Date;
  readonly level: Level;
  /** Of one level there may be several grades, each of which is told. */
  readonly grade: string;
  /** For people, as a sentence. */
  readonly text: string;
  /** The record that is bad, or is so no longer, where several can make it bad. */
  readonly record?: string;
  readonly about: About;
}

/** What a fact makes of a state. */
export interface ConditionDecision {
  /** Absent: no change. */
  readonly next?: ConditionState;
  /** An event is to be spread first; then the fact is looked at again. */
  readonly isBusy?: true;
}

const UNCHANGED: ConditionDecision = {};

export function conditionId(condition: Condition, subject: string): string {
  return `${condition}:${subject}`;
}

/** Types of events, by what is bad; `<topic>.recovered` when it is over. */
const TYPES = {
  backup: 'backup.failed',
  window: 'window.missed',
  promise: 'cluster.late',
  removal: 'removal.failing',
  damage: 'backup.damaged',
  storage: 'storage.unreachable',
  log: 'log.alarm',
} as const satisfies Record<Condition, string>;

/**
 * Takes in a fact.
 *
 * @param state absent where nothing was ever bad
 * @param eventId for the event that may come of it; of two that are given for one change the first counts
 * @param now database time
 */
export function decideCondition(
  state: ConditionState | undefined,
  fact: Fact,
  eventId: string,
  now: Date,
): ConditionDecision {
  if (state?.pending) return { isBusy: true };
  if (fact.record !== undefined) return decideRecord(state, fact, fact.record, eventId, now);
  if (state && fact.at < state.basis) return UNCHANGED;
  const { level = 'good', grade = '' } = state ?? {};
  // While it is bad its basis moves on: an older fact that comes late does not undo a newer one.
  if (fact.level === level && (level === 'good' || fact.grade === grade))
    return state && fact.at > state.basis && level !== 'good' ? { next: { ...state, basis: fact.at } } : UNCHANGED;
  return { next: changed(state, fact, [], eventId, now) };
}

/** With a record more or less that makes it bad. */
function decideRecord(
  state: ConditionState | undefined,
  fact: Fact,
  record: string,
  eventId: string,
  now: Date,
): ConditionDecision {
  const known = state?.records ?? [];
  if ((fact.level !== 'good') === known.includes(record)) return UNCHANGED;
  if (fact.level === 'good') {
    const records = known.filter((one) => one !== record);
    if (state && records.length > 0) return { next: { ...state, records } };
    return { next: changed(state, fact, [], eventId, now) };
  }
  if (known.length >= MAX_CONDITION_RECORDS) return UNCHANGED;
  const records = [...known, record];
  if (state && state.level !== 'good') return { next: { ...state, records } };
  return { next: changed(state, fact, records, eventId, now) };
}

/** At another level, or in another grade, and with the event that tells so. */
function changed(
  state: ConditionState | undefined,
  fact: Fact,
  records: readonly string[],
  eventId: string,
  now: Date,
): ConditionState {
  const { condition, subject, level, grade, about } = fact;
  const { clusterId = '', storageId = '', labels = state?.labels ?? [] } = about;
  const pending = eventOf(state?.level ?? 'good', { ...fact, about: { ...about, labels } }, eventId, now);
  return {
    _id: conditionId(condition, subject),
    condition,
    clusterId,
    storageId,
    level,
    grade: level === 'good' ? '' : grade,
    text: pending.text,
    since: now,
    basis: state ? later(state.basis, fact.at) : fact.at,
    records,
    labels,
    pending,
    revision: (state?.revision ?? 0) + 1,
    updateTime: now,
  };
}

function eventOf(before: Level, { condition, level, text, about }: Fact, id: string, at: Date): NotificationEvent {
  const common = { id, topic: condition, at, text };
  if (level === 'good')
    return newEvent(
      { ...common, type: `${condition}.recovered`, severity: 'info', ...(before !== 'good' && { ended: before }) },
      about,
    );
  // What gets less bad is told to those who heard of the worse.
  const ended = before !== 'good' && isAtLeast(before, level) && before !== level ? { ended: before } : {};
  return newEvent({ ...common, type: TYPES[condition], severity: level, ...ended }, about);
}

/** The state once every receiver has the event in the outbox; undefined where that is done, or another one is pending. */
export function spread(state: ConditionState, eventId: string): ConditionState | undefined {
  return state.pending?.id === eventId ? { ...state, pending: null, revision: state.revision + 1 } : undefined;
}
