/**
 * Judges what a run left. It knows the promises (architecture 2 to 4) and the evidence, and nothing of how the product
 * keeps them: no rule here comes from the product's own code.
 */
import { type BackupDocument, type Evidence, hadNoMount, type OccurrenceDocument } from './evidence.ts';
import { LOG_RULES } from './log-rules.ts';
import type { Request } from './request.ts';
import { RESTORE_RULES } from './restore-rules.ts';

export interface Violation {
  readonly rule: RuleName | keyof typeof RESTORE_RULES | keyof typeof LOG_RULES;
  /** What is wrong, where. */
  readonly what: string;
}

type Judge = (evidence: Evidence) => Iterable<string>;

const FINISHED = ['Succeeded', 'Failed', 'Canceled'];
const OUTCOMES = ['succeeded', 'failed', 'retry', 'newPath', 'wait', 'stopped', 'released', 'lost'];
const ENDED_WINDOWS = ['Started', 'Skipped', 'Missed'];
/** 429 says nothing about the request. */
const REFUSED = /^4(?!29)/;
/** After a window's close its end may still be being written down. */
const WINDOW_GRACE_MS = 60_000;

const RULES = {
  /** Every accepted backup ended in one legal end state, and no work is left. */
  *'ended as it must'({ backups }) {
    for (const backup of backups) {
      const { _id, state, task, leftovers, activeKey, slotKey, endTime, deletion, result } = backup;
      const own = `backup:${_id}`;
      if (!FINISHED.includes(state)) yield `${_id} is ${state}`;
      if (task !== null) yield `${_id} has a task`;
      if (leftovers.length > 0) yield `${_id} has leftovers: ${leftovers.map(({ path }) => path).join(', ')}`;
      if (activeKey !== own || slotKey !== own) yield `${_id} still holds ${activeKey}, ${slotKey}`;
      if (endTime === null) yield `${_id} has no end`;
      if (state === 'Succeeded' && result === null) yield `${_id} succeeded without a result`;
      if (state === 'Canceled' && backup.cancel === null) yield `${_id} is canceled, and nobody asked for it`;
      if (!['None', 'Deleted'].includes(deletion.state)) yield `${_id}: its deletion is ${deletion.state}`;
    }
  },

  /** Its attempts tell one history. */
  *'attempts in order'({ backups }) {
    for (const { _id, attempts, fence } of backups) {
      let last = 0;
      for (const [index, attempt] of attempts.entries()) {
        if (attempt.fence <= last) yield `attempt ${index + 1} of ${_id} has fence ${attempt.fence} after ${last}`;
        last = attempt.fence;
        if (!attempt.endedAt || !OUTCOMES.includes(attempt.outcome ?? ''))
          yield `attempt ${index + 1} of ${_id} did not end`;
      }
      if (fence < last) yield `${_id} has fence ${fence}, its last attempt ${last}`;
    }
  },

  /** Never two at once in a cluster, by what the kernel says of br, and by what the records say. */
  *'never two at once'({ ledger, backups, restores }) {
    for (const { event, alone, path, pid, pd } of ledger)
      if (event === 'start' && alone === false)
        yield `br ${pid} started in ${path} and cluster ${pd} beside another of its cluster`;
    const ofBackups = backups.flatMap(({ _id, clusterId, attempts }) =>
      attempts.map(({ startedAt, endedAt }) => ({ _id, clusterId, from: startedAt, to: endedAt })),
    );
    const ofRestores = restores.flatMap(({ _id, target: { clusterId }, attempts }) =>
      attempts.map(({ startedAt, endedAt }) => ({ _id, clusterId, from: startedAt, to: endedAt })),
    );
    for (const [clusterId, own] of Map.groupBy([...ofBackups, ...ofRestores], (span) => span.clusterId)) {
      const spans = own
        .map(({ _id, from, to }) => ({ _id, from: +from, to: +(to ?? Number.NaN) }))
        .sort((one, other) => one.from - other.from);
      for (const [index, { _id, from }] of spans.entries()) {
        const before = spans[index - 1];
        if (before && from < before.to) yield `attempts of ${before._id} and ${_id} of ${clusterId} overlap`;
      }
    }
  },

  /** br ran only for attempts on record, and not oftener. */
  *'no run without an attempt'({ ledger, backups }) {
    const allowed = new Map<string, number>();
    for (const { attempts } of backups)
      for (const { path, argv } of attempts) if (argv) allowed.set(path, (allowed.get(path) ?? 0) + 1);
    const starts = ledger.filter(({ event, command }) => event === 'start' && command === 'backup');
    for (const [path, runs] of Map.groupBy(starts, (line) => belowStorage(line.path, allowed))) {
      const attempts = allowed.get(path) ?? 0;
      if (runs.length > attempts) yield `br ran ${runs.length} times in ${path}, for ${attempts} attempts`;
    }
  },

  *'no file without a record'({ files, backups, logDocuments }) {
    const logs = logDocuments.flatMap(({ generations }) => generations.map(({ path }) => path));
    const kept = new Set([...backups.filter(isKept).map(({ path }) => path), ...logs]);
    const strays = files.filter(({ path }) => !folders(path).some((folder) => kept.has(folder)));
    for (const [folder, found] of Map.groupBy(strays, ({ path }) => folders(path)[3] ?? path))
      yield `${found.length} files in ${folder}, among them ${found[0]?.path}`;
  },

  *'no record without its files'({ files, metas, backups }) {
    const sizes = new Map(files.map(({ path, bytes }) => [path, bytes]));
    const metaOf = new Map(metas.map((meta) => [meta.path, meta]));
    for (const { _id, path, result } of backups.filter(isKept)) {
      const meta = metaOf.get(path);
      if (!meta) yield `${_id} has no backupmeta in ${path}`;
      else if (meta.problem) yield `the backupmeta of ${_id} cannot be read: ${meta.problem}`;
      else {
        if (meta.tso !== String(result?.tso)) yield `${_id} says snapshot ${result?.tso}, its backupmeta ${meta.tso}`;
        for (const [name, bytes] of Object.entries(meta.files)) {
          const found = sizes.get(`${path}/${name}`);
          if (found !== bytes) yield `${name} of ${_id} has ${found ?? 'no'} bytes instead of ${bytes}`;
        }
      }
    }
  },

  /** A br that did its work is found to have done it: nobody took files from under it, unless its worker lost the mount. */
  *'nothing removed under br'({ backups, mountLosses }) {
    for (const { _id, attempts } of backups)
      for (const attempt of attempts) {
        const { reason, path } = attempt;
        if (reason?.code === 'BACKUPMETA_BAD' && !hadNoMount(attempt, mountLosses))
          yield `${_id}: br succeeded in ${path}, but its files were not all there`;
      }
  },

  *'no path twice'({ backups }) {
    const owners = new Map<string, Set<string>>();
    for (const { _id, basePath, path, attempts } of backups)
      for (const one of [basePath, path, ...attempts.map((attempt) => attempt.path)])
        owners.set(one, (owners.get(one) ?? new Set()).add(_id));
    for (const [path, ids] of owners) if (ids.size > 1) yield `${path} is of ${[...ids].join(' and ')}`;
  },

  *'no orphan process'({ orphans }) {
    yield* orphans;
  },

  *'no message left'({ messages }) {
    for (const [queue, count] of Object.entries(messages)) if (count > 0) yield `${count} in ${queue}`;
  },

  /** Every due window has its occurrence, and that says what is so. */
  *'every window accounted for'({ requests, occurrences, backups, takenAt }) {
    const byId = new Map(occurrences.map((occurrence) => [occurrence._id, occurrence]));
    for (const { kind, clusterId, rule, answer } of requests) {
      if (kind !== 'rule' || answer?.status !== 200 || !answer.opensAt) continue;
      if (Date.parse(answer.opensAt) + WINDOW_GRACE_MS > takenAt) continue;
      const id = `${clusterId}:${rule}:${new Date(answer.opensAt).toISOString()}`;
      if (!byId.has(id)) yield `window ${id} has no occurrence`;
    }
    const backupOf = new Map(backups.map((backup) => [backup.request.key, backup]));
    for (const occurrence of occurrences) yield* judgeOccurrence(occurrence, backupOf, takenAt);
    for (const { origin, request, _id } of backups)
      if (origin === 'schedule' && byId.get(request.key ?? '')?.backupId !== _id)
        yield `${_id} was started by the schedule, and no window says so`;
  },

  *'answered cancel is kept'({ requests, backups }) {
    const byId = new Map(backups.map((backup) => [backup._id, backup]));
    for (const { kind, backupId = '', answer } of requests)
      if (kind === 'cancel' && answer?.status === 200 && byId.get(backupId)?.state !== 'Canceled')
        yield `${backupId} is ${byId.get(backupId)?.state ?? 'not on record'}, and its cancel was answered`;
  },

  *'answered delete is kept'({ requests, backups }) {
    const byId = new Map(backups.map((backup) => [backup._id, backup]));
    for (const { kind, backupId = '', answer } of requests)
      if (kind === 'delete' && answer?.status === 200 && byId.get(backupId)?.deletion.state !== 'Deleted')
        yield `${backupId} is not deleted, and that was answered`;
  },

  *'nothing deleted unasked'({ requests, backups }) {
    const asked = new Set(requests.filter(({ kind }) => kind === 'delete').map(({ backupId }) => backupId));
    for (const { _id, deletion } of backups)
      if (deletion.state !== 'None' && !byRetention(deletion) && !asked.has(_id)) yield `${_id} is ${deletion.state}`;
  },

  /** Retention takes only what the schedule started, and has as many newer good ones of its rule as that keeps. */
  *'retention keeps what it must'({ requests, backups }) {
    const scheduled = backups.filter(({ origin }) => origin === 'schedule');
    for (const { _id, clusterId, rule, origin, startTime, deletion } of backups) {
      if (deletion.state === 'None' || !byRetention(deletion)) continue;
      const ofRule = <T extends { clusterId: string; rule?: string }>(one: T) =>
        one.clusterId === clusterId && one.rule === rule;
      const kept = requests.filter(ofRule).map(({ keepLast }) => keepLast ?? Number.POSITIVE_INFINITY);
      const newer = scheduled.filter((one) => ofRule(one) && one.state === 'Succeeded' && one.startTime > startTime);
      if (origin !== 'schedule' || newer.length < Math.min(...kept))
        yield `${_id} of ${clusterId} is ${deletion.state} by retention, and ${newer.length} good ones of ${rule} are newer`;
    }
  },

  *'answered pin is kept'({ requests, backups }) {
    const byId = new Map(backups.map((backup) => [backup._id, backup]));
    for (const pin of requests) {
      if (pin.kind !== 'pin' || pin.answer?.status !== 200) continue;
      const unpinned = requests.some(
        ({ kind, backupId, answer }) =>
          kind === 'unpin' && backupId === pin.backupId && (answer === undefined || answer.at >= pin.sentAt),
      );
      const backup = byId.get(pin.backupId ?? '');
      if (!unpinned && (backup?.deletion.state !== 'None' || backup.holds.length === 0))
        yield `${pin.backupId} was pinned, has ${backup?.holds.length ?? 0} holds and is ${backup?.deletion.state}`;
    }
  },

  /** No acknowledged request forgotten. */
  *'answered start is on record'({ requests, backups }) {
    const byId = new Map(backups.map((backup) => [backup._id, backup]));
    for (const { kind, clusterId, key, answer } of requests) {
      if (kind !== 'start' || answer?.status !== 200) continue;
      const backup = byId.get(answer.backupId ?? '');
      if (!backup) yield `${answer.backupId} of ${clusterId} was accepted and is not on record`;
      else if (backup.clusterId !== clusterId || backup.request.key !== key)
        yield `${backup._id} was accepted for ${clusterId} with ${key}, and is of ${backup.clusterId}`;
    }
  },

  *'one key, one backup'({ requests, backups }) {
    const starts = requests.filter(({ kind }) => kind === 'start');
    for (const [key, own] of Map.groupBy(starts, (request) => request.key)) {
      const answered = new Set(own.flatMap(({ answer }) => (answer?.backupId ? [answer.backupId] : [])));
      if (answered.size > 1) yield `${key} was answered with ${[...answered].join(' and ')}`;
      const accepted = own.find(({ answer }) => answer?.status === 200)?.answer;
      for (const { answer, sentAt } of own)
        if (accepted && answer && sentAt >= accepted.at && REFUSED.test(String(answer.status)))
          yield `${key} was accepted, and its repeat refused: ${answer.status} ${answer.message}`;
    }
    for (const [key, own] of Map.groupBy(backups, ({ request }) => request.key))
      if (own.length > 1) yield `${key} has ${own.map(({ _id }) => _id).join(' and ')}`;
  },

  /** A log has full backups of its own accord; people who back its cluster up keep no record of that. */
  *'nothing started unasked'({ requests, backups, logDocuments }) {
    const asked = new Set(requests.flatMap(({ kind, key }) => (kind === 'start' ? [key] : [])));
    const ofLogs = new Set(logDocuments.map(({ _id }) => _id));
    for (const { _id, origin, request, clusterId } of backups) {
      const isWanted =
        origin === 'schedule' || ofLogs.has(clusterId) || (origin === 'request' && asked.has(request.key));
      if (!isWanted) yield `${_id} has key ${request.key}`;
    }
  },

  /** Nobody makes something up for what he cannot read. */
  *'damaged records untouched'({ damagedRecords }) {
    for (const { name, untouched } of damagedRecords) if (!untouched) yield `${name} was changed or removed`;
  },

  *'nothing crashed'({ crashes }) {
    yield* crashes;
  },
} as const satisfies Record<string, Judge>;

export type RuleName = keyof typeof RULES;

export const RULE_NAMES = Object.keys(RULES) as RuleName[];

/** Everything that is not as promised. */
export function check(evidence: Evidence): Violation[] {
  const rules = Object.entries({ ...RULES, ...RESTORE_RULES, ...LOG_RULES }) as [Violation['rule'], Judge][];
  return rules.flatMap(([rule, judge]) => [...judge(evidence)].map((what) => ({ rule, what })));
}

/** Whether retention wished for the deletion, and no person. */
export function byRetention({ by }: BackupDocument['deletion']): boolean {
  return by?.kind === 'retention';
}

function isKept({ state, deletion }: BackupDocument): boolean {
  return state === 'Succeeded' && deletion.state === 'None';
}

/** The folders that a path is in: `a`, `a/b`, … */
function folders(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** The ledger has absolute paths; the records have them from the storage on. */
function belowStorage(absolute: string, known: ReadonlyMap<string, unknown>): string {
  const parts = absolute.split('/');
  for (let from = 1; from < parts.length; from += 1) {
    const path = parts.slice(from).join('/');
    if (known.has(path)) return path;
  }
  return absolute;
}

function* judgeOccurrence(
  { _id, state, backupId, closesAt, clusterId }: OccurrenceDocument,
  backupOf: ReadonlyMap<string | undefined, BackupDocument>,
  takenAt: number,
): Iterable<string> {
  const backup = backupOf.get(_id);
  if (!ENDED_WINDOWS.includes(state)) {
    if (+closesAt + WINDOW_GRACE_MS < takenAt) yield `window ${_id} is over and ${state}`;
    return;
  }
  if (state === 'Started' && backup?._id !== backupId)
    yield `window ${_id} says that it started ${backupId}; its backup is ${backup?._id ?? 'not on record'}`;
  if (state !== 'Started' && backup) yield `window ${_id} is ${state}, but started ${backup._id}`;
  if (backup && backup.clusterId !== clusterId) yield `window ${_id} started ${backup._id} of ${backup.clusterId}`;
}

/** Requests that were answered, by kind and status: for people. */
export function countAnswers(requests: readonly Request[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind, answer } of requests) {
    const name = `${kind} ${answer?.status ?? 'unanswered'}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
