/** What a run must leave of restores (R1 to R14 of restores 3), by their records, their targets, and the ledger of demo-br. */
import { CLOCK_MS, type Evidence, hadNoMount, type RestoreDocument } from './evidence.ts';
import { differences, partOf, tablesOfUsers } from './tables.ts';

type Judge = (evidence: Evidence) => Iterable<string>;
type Attempt = RestoreDocument['attempts'][number];

const ENDED = ['Succeeded', 'Failed', 'Canceled'];
/** Ends that prove that `br` changed nothing in its target. */
const AS_IT_WAS = ['refused', 'notFresh', 'failedBefore', 'none', 'wait'];
const SOURCE_LOST = ['SOURCE_GONE', 'SOURCE_DAMAGED', 'SOURCE_IS_ANOTHER'];
const REFUSED = /^4(?!29)/;

export const RESTORE_RULES = {
  /** People have seen to all of them by then. */
  *'restores ended as they must'({ restores, backups, unfinished }) {
    yield* unfinished;
    const holders = new Map(backups.flatMap(({ _id, holds }) => holds.map((hold) => [hold, _id] as const)));
    for (const restore of restores) {
      const { _id, state, targetState, task, activeKey, slotKey, endTime, held, result, cancels } = restore;
      const own = `restore:${_id}`;
      if (!ENDED.includes(state)) yield `${_id} is ${state}`;
      if (targetState === 'Partial') yield `${_id} ended in the middle, and nobody could free its target`;
      if (task !== null) yield `${_id} has a task`;
      if (activeKey !== own || slotKey !== own) yield `${_id} still holds ${activeKey}, ${slotKey}`;
      if (held || holders.has(own)) yield `${_id} still holds its source ${holders.get(own) ?? ''}`;
      if (endTime === null) yield `${_id} has no end`;
      if (state === 'Succeeded' && (targetState !== 'Restored' || result === null))
        yield `${_id} succeeded with its target ${targetState} and ${result ? 'a' : 'no'} result`;
      if (state === 'Canceled' && !cancels.some(({ current }) => current))
        yield `${_id} is canceled, and no cancel of it is in force`;
    }
  },

  /** Its attempts tell one history. */
  *'attempts of restores in order'({ restores }) {
    for (const { _id, attempts, fence } of restores) {
      let last = 0;
      for (const [index, { fence: own, endedAt, outcome }] of attempts.entries()) {
        if (own <= last) yield `attempt ${index + 1} of ${_id} has fence ${own} after ${last}`;
        last = own;
        if (!endedAt || !outcome) yield `attempt ${index + 1} of ${_id} did not end`;
      }
      if (fence < last) yield `${_id} has fence ${fence}, its last attempt ${last}`;
    }
  },

  /** Restored is all that was backed up, or what a filter chose of it, Untouched is what was there before, and what was said once holds. */
  *'a target holds what its restore says'({ sights, restores, backedUp }) {
    const byId = new Map(restores.map((restore) => [restore._id, restore]));
    for (const { restoreId, clusterId, state, targetState, needsCleaning, before, now } of sights) {
      const restore = byId.get(restoreId);
      const name = `${restoreId} in ${clusterId} (${state}, ${targetState})`;
      if (restore?.state !== state || restore.targetState !== targetState)
        yield `${name} is ${restore?.state ?? 'not on record'}, ${restore?.targetState ?? ''} by now`;
      const all = backedUp[restore?.source.backupId ?? ''];
      const wanted = all && restore?.options.filter ? partOf(all) : all;
      if (targetState === 'Restored') {
        if (!wanted) yield `${name} is of a backup that nobody has seen`;
        for (const difference of differences(tablesOfUsers(now), wanted ?? {})) yield `${name}: ${difference}`;
        if (!needsCleaning && Object.keys(now).length > Object.keys(tablesOfUsers(now)).length)
          yield `${name} left a checkpoint behind, and does not say so`;
      }
      if (targetState === 'Untouched')
        for (const difference of differences(now, before)) yield `${name}: ${difference}`;
    }
  },

  *'a target is called touched only where br may have begun'({ restores }) {
    for (const { _id, targetState, attempts } of restores) {
      if (targetState !== 'Untouched' && !attempts.some(mayHaveTouched))
        yield `${_id} is ${targetState}, and no br of it can have begun`;
    }
  },

  /** From its first `br` until it succeeded, was released or ended without a trace, nobody else is let in. */
  *'a target is let go only as it may'({ restores, backups }) {
    const spans = restores.flatMap((restore) => {
      const from = firstStart(restore);
      return from === undefined ? [] : [{ restore, from, to: letGoAt(restore) }];
    });
    for (const { restore, from, to } of spans) {
      const { clusterId } = restore.target;
      const others = [
        ...backups.filter((backup) => backup.clusterId === clusterId),
        ...restores.filter(({ _id, target }) => target.clusterId === clusterId && _id !== restore._id),
      ];
      for (const { _id, attempts } of others)
        for (const { startedAt } of attempts)
          if (+startedAt > from && +startedAt < to)
            yield `${_id} was let into ${clusterId}, which ${restore._id} (${restore.state}, ${restore.targetState}) had`;
    }
  },

  /** No `br` starts where it would go on at the checkpoint of another restore. */
  *'no restore into an unclean target'({ restores, requests }) {
    for (const restore of restores) {
      const { _id, target, released, targetState, attempts } = restore;
      const leftOne = targetState === 'Restored' && attempts.some(({ end }) => end?.checkpointLeft);
      if (released?.how !== 'asIs' && !leftOne) continue;
      const from = letGoAt(restore);
      const cleanedAt = requests.find(({ kind, restoreId }) => kind === 'cleaned' && restoreId === _id)?.sentAt;
      for (const other of restores)
        if (other._id !== _id && other.target.clusterId === target.clusterId)
          for (const { starting } of other.attempts)
            if (starting && +starting.at > from && +starting.at + CLOCK_MS < (cleanedAt ?? Number.POSITIVE_INFINITY))
              yield `br of ${other._id} started in ${target.clusterId}, where ${_id} had left its checkpoint`;
    }
  },

  /** What is restored is not deleted meanwhile, whoever wants it. */
  *'a source stays while it is read'({ restores, backups, mountLosses }) {
    const byId = new Map(backups.map((backup) => [backup._id, backup]));
    for (const restore of restores) {
      const { _id, source, attempts } = restore;
      const [first] = attempts;
      if (!first) continue;
      const { deletion } = byId.get(source.backupId) ?? {};
      if (!deletion) yield `${source.backupId}, which ${_id} restored, is not on record`;
      else if (deletion.at && deletion.at > first.startedAt && +deletion.at < letGoAt(restore))
        yield `${source.backupId} was deleted while ${_id} restored it`;
      for (const attempt of attempts)
        if (SOURCE_LOST.includes(attempt.end?.reason?.code ?? '') && !hadNoMount(attempt, mountLosses))
          yield `${_id} did not find its source: ${attempt.end?.reason?.code}`;
    }
  },

  /** Restores by br only for attempts on record, and not oftener. */
  *'no restoring run without an attempt'({ ledger, restores }) {
    const allowed = new Map<string, number>();
    for (const restore of restores) {
      const announced = restore.attempts.filter(({ starting }) => starting !== null).length;
      const place = placeOf(restore);
      allowed.set(place, (allowed.get(place) ?? 0) + announced);
    }
    const places = [...allowed.keys()];
    const starts = ledger.filter(({ event, command }) => event === 'start' && command === 'restore');
    for (const [place, runs] of Map.groupBy(starts, ({ path, pd }) => places.find(isOf(path, pd)))) {
      const attempts = allowed.get(place ?? '') ?? 0;
      if (runs.length > attempts)
        yield `br restored ${runs.length} times from and into ${place ?? runs[0]?.path}, for ${attempts} attempts`;
    }
  },

  /** Success is an exit with 0 that somebody saw; where nobody did, that is said. */
  *'success is told where there was one'({ ledger, restores }) {
    const successes = ledger.filter(
      ({ event, command, exit }) => event === 'end' && command === 'restore' && exit === 0,
    );
    for (const restore of restores) {
      const from = firstStart(restore);
      if (from === undefined) continue;
      const { _id, state, targetState, outcomeUnknown } = restore;
      const to = letGoAt(restore);
      const seen = successes.some(
        ({ path, pd, time }) => isOf(path, pd)(placeOf(restore)) && time > from - CLOCK_MS && time < to + CLOCK_MS,
      );
      if (targetState === 'Restored' && !seen) yield `${_id} is ${state}, and no br of it ended well`;
      if (targetState === 'Released' && seen && !outcomeUnknown)
        yield `${_id} is ${state}, and does not say that its br may have finished`;
    }
  },

  *'answered restore is on record'({ requests, restores }) {
    const byId = new Map(restores.map((restore) => [restore._id, restore]));
    for (const { kind, clusterId, backupId, key, answer } of requests) {
      if (kind !== 'restore' || answer?.status !== 200) continue;
      const restore = byId.get(answer.restoreId ?? '');
      if (!restore) yield `${answer.restoreId} into ${clusterId} was accepted and is not on record`;
      else if (
        restore.target.clusterId !== clusterId ||
        restore.source.backupId !== backupId ||
        restore.request.key !== key
      )
        yield `${restore._id} was accepted for ${backupId} into ${clusterId}, and is of ${restore.source.backupId}`;
    }
  },

  *'one key, one restore'({ requests, restores }) {
    const starts = requests.filter(({ kind }) => kind === 'restore');
    for (const [key, own] of Map.groupBy(starts, (request) => request.key)) {
      const answered = new Set(own.flatMap(({ answer }) => (answer?.restoreId ? [answer.restoreId] : [])));
      if (answered.size > 1) yield `${key} was answered with ${[...answered].join(' and ')}`;
      const accepted = own.find(({ answer }) => answer?.status === 200)?.answer;
      for (const { answer, sentAt } of own)
        if (accepted && answer && sentAt >= accepted.at && REFUSED.test(String(answer.status)))
          yield `${key} was accepted, and its repeat refused: ${answer.status} ${answer.message}`;
    }
    const asked = new Set(starts.map(({ key }) => key));
    for (const [key, own] of Map.groupBy(restores, ({ request }) => request.key)) {
      if (own.length > 1) yield `${key} has ${own.map(({ _id }) => _id).join(' and ')}`;
      if (!asked.has(key) && !own.some(({ source }) => source.point))
        yield `${own[0]?._id} has key ${key}, which nobody asked with`;
    }
  },

  /** Until a resume is asked for. */
  *'answered cancel of a restore is kept'({ requests, restores }) {
    const byId = new Map(restores.map((restore) => [restore._id, restore]));
    for (const cancel of requests) {
      if (cancel.kind !== 'cancel restore' || cancel.answer?.status !== 200) continue;
      const resumed = requests.some(
        ({ kind, restoreId, answer }) =>
          kind === 'resume' && restoreId === cancel.restoreId && (!answer || answer.at >= cancel.sentAt),
      );
      const state = byId.get(cancel.restoreId ?? '')?.state;
      if (!resumed && state !== 'Canceled') yield `${cancel.restoreId} is ${state}, and its cancel was answered`;
    }
  },

  *'answered resume and release are kept'({ requests, restores }) {
    const byId = new Map(restores.map((restore) => [restore._id, restore]));
    for (const { kind, restoreId = '', answer } of requests) {
      if (answer?.status !== 200) continue;
      const { resumes = [], released } = byId.get(restoreId) ?? {};
      if (kind === 'resume' && resumes.length === 0) yield `${restoreId} was not resumed, and that was answered`;
      if (kind === 'release' && !released) yield `${restoreId} is not released, and that was answered`;
    }
  },
} as const satisfies Record<string, Judge>;

export type RestoreRuleName = keyof typeof RESTORE_RULES;

const mayHaveTouched = ({ starting, outcome, end }: Attempt) =>
  starting !== null && (outcome === 'lost' || !AS_IT_WAS.includes(end?.kind ?? ''));

/** When its first `br` was announced, in milliseconds. */
function firstStart({ attempts }: Pick<RestoreDocument, 'attempts'>): number | undefined {
  const announced = attempts.find(({ starting }) => starting !== null);
  return announced?.starting ? +announced.starting.at : undefined;
}

/** When its target was free again, in milliseconds. */
function letGoAt({
  state,
  targetState,
  released,
  endTime,
}: Pick<RestoreDocument, 'state' | 'targetState' | 'released' | 'endTime'>): number {
  if (!ENDED.includes(state) || targetState === 'Partial' || endTime === null) return Number.POSITIVE_INFINITY;
  return +(targetState === 'Released' ? (released?.at ?? Number.NaN) : endTime);
}

/** Where it reads from, and into what. */
const placeOf = ({ source, target }: RestoreDocument) => `${source.path} ${target.pd.join(',')}`;

/** The ledger has absolute paths; the records have them from the storage on. */
const isOf = (path: string, pd: string) => (place: string) => `${path} ${pd}`.endsWith(`/${place}`);
