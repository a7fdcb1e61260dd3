/** What the records say of clusters and storages, as facts about conditions. */
import type { LogAlarm } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import { later, plus } from '@tidemark/task/time';
import type { Occurrence, ReasonCode } from '../../catch-up.ts';
import { type ClusterLog, isWanted, worstAlarm } from '../../cluster-log.ts';
import type { Verdict } from '../../fleet-verdict.ts';
import type { Fact } from './condition.ts';
import type { NotificationEvent } from './event.ts';

type Labels = NotificationEvent['labels'];

/** A cluster, as far as an event tells of it. */
export interface ToldCluster {
  readonly id: string;
  readonly labels: Labels;
}

/** A backup as it is after a change. */
export interface SeenBackup {
  readonly id: string;
  readonly storageId: string;
  readonly rule: string;
  /** `waiting`: it is between two tries. */
  readonly state: 'waiting' | 'active' | 'succeeded' | 'failed' | 'canceled';
  /** Why it waits, or failed, as a constant and a sentence; empty for no reason. */
  readonly code: string;
  readonly reason: string;
  readonly endedAt: Date | undefined;
  readonly changedAt: Date;
  /** Of its files, once it is deleted. */
  readonly removalFails: boolean;
  /** A verification or a restore found it damaged, and its files are still there. */
  readonly damaged: boolean;
}

/** Reasons that say of a storage that it cannot be worked with. */
const STORAGE_REASONS: ReadonlySet<string> = new Set(['STORAGE_AWAY', 'STORAGE_UNUSABLE']);

/** What a backup that changed says. */
export function factsOfBackup(backup: SeenBackup, { id: clusterId, labels }: ToldCluster): Fact[] {
  const { id, state, storageId, rule, code, reason, endedAt, changedAt, removalFails, damaged } = backup;
  const about = { clusterId, labels, storageId, backupId: id, rule, code };
  const facts: Fact[] = [];
  if (endedAt && (state === 'succeeded' || state === 'failed')) {
    const common = { condition: 'backup', subject: clusterId, at: endedAt, about } as const;
    facts.push(
      state === 'failed'
        ? { ...common, level: 'warning', grade: 'failed', text: sentence(`A backup of ${clusterId} failed`, reason) }
        : { ...common, level: 'good', grade: '', text: `Backups of ${clusterId} succeed again.` },
    );
  }
  facts.push({
    ...{ condition: 'removal', subject: clusterId, at: changedAt, about, record: id },
    level: removalFails ? 'warning' : 'good',
    grade: removalFails ? 'failing' : '',
    text: removalFails
      ? `Files of a backup of ${clusterId} cannot be removed from storage ${storageId}; it is tried again.`
      : `Files of backups of ${clusterId} are removed again.`,
  });
  facts.push({
    ...{ condition: 'damage', subject: clusterId, at: changedAt, about, record: id },
    level: damaged ? 'critical' : 'good',
    grade: damaged ? 'damaged' : '',
    text: damaged
      ? `A backup of ${clusterId} was found damaged: it counts as no recovery point any more.`
      : `No backup of ${clusterId} that is kept is known to be damaged any more.`,
  });
  const isStorage = state === 'waiting' && STORAGE_REASONS.has(code);
  if (storageId !== '')
    facts.push({
      ...{ condition: 'storage', subject: storageId, at: changedAt, about, record: id },
      level: isStorage ? 'critical' : 'good',
      grade: isStorage ? 'away' : '',
      text: isStorage
        ? sentence(`Storage ${storageId} cannot be reached or used, and a backup of ${clusterId} waits for it`, reason)
        : `No backup waits for storage ${storageId} any more.`,
    });
  return facts;
}

/** Windows that people closed themselves, or that another one took the place of: nothing is wrong. */
const ON_PURPOSE: ReadonlySet<ReasonCode | ''> = new Set([
  'STRATEGY_REMOVED',
  'STRATEGY_PAUSED',
  'STRATEGY_CHANGED',
  'CATCH_UP',
]);

/** What a window that was decided says. */
export function factsOfWindow(occurrence: Occurrence, { labels }: Pick<ToldCluster, 'labels'>): Fact[] {
  const { clusterId, rule, state, code, reason, decidedAt, opensAt, backupId } = occurrence;
  if (!decidedAt || state === 'Pending' || (state !== 'Started' && ON_PURPOSE.has(code))) return [];
  const isGood = state === 'Started';
  return [
    {
      condition: 'window',
      subject: `${clusterId}:${rule}`,
      at: decidedAt,
      level: isGood ? 'good' : 'warning',
      grade: isGood ? '' : 'missed',
      text: isGood
        ? `Rule ${rule} of ${clusterId} starts backups again.`
        : sentence(`The window of rule ${rule} of ${clusterId} at ${opensAt.toISOString()} started no backup`, reason),
      about: { clusterId, rule, code, labels, backupId: backupId ?? '' },
    },
  ];
}

const HOUR_MS = 3_600_000;

/**
 * What the age of the newest good backup of a cluster says against its rules.
 *
 * @param registeredAt a cluster without any good backup is no earlier late than one whose last was made at its registration
 */
export function factOfPromise(
  { id: clusterId, labels }: ToldCluster,
  {
    verdict,
    asOf,
    intervalMs,
    registeredAt,
    goodAt,
  }: {
    readonly verdict: Verdict;
    /** Up to when is known what it is made of. */
    readonly asOf: Date;
    readonly intervalMs: number;
    readonly registeredAt: Date;
    readonly goodAt: Date | undefined;
  },
  now: Date,
): Fact {
  const common = { condition: 'promise', subject: clusterId, at: asOf, about: { clusterId, labels } } as const;
  const isNew = verdict === 'never' && plus(registeredAt, 1.25 * intervalMs + 4 * HOUR_MS) >= now;
  const since = goodAt ? `since ${later(goodAt, registeredAt).toISOString()}` : 'since it was registered';
  if (verdict === 'never' && !isNew)
    return { ...common, level: 'critical', grade: verdict, text: `${clusterId} has no good backup, and should have.` };
  if (verdict === 'veryLate')
    return {
      ...common,
      level: 'critical',
      grade: verdict,
      text: `${clusterId} is very late: no good backup ${since}.`,
    };
  if (verdict === 'late')
    return { ...common, level: 'warning', grade: verdict, text: `${clusterId} is late: no good backup ${since}.` };
  const text =
    verdict === 'noPlan'
      ? `No rule plans backups of ${clusterId} any more, so it is late no longer.`
      : `${clusterId} is in time again.`;
  return { ...common, level: 'good', grade: '', text };
}

/**
 * What the log backup of a cluster says: one fact of the log that is written, which is as bad as its worst alarm, and one of each alarm that says nothing of that log.
 *
 * @param told alarms of the latter kind that are known to be bad: what is not among those that stand any more is over
 * @param asOf when it was told
 */
export function factsOfLog(
  { id: clusterId, labels }: ToldCluster,
  log: ClusterLog | undefined,
  told: readonly string[],
  asOf: Date,
): Fact[] {
  const { alarms, asides } = log ?? { alarms: [], asides: [] };
  const common = { condition: 'log', subject: clusterId, at: asOf, about: { clusterId, labels } } as const;
  const worst = worstAlarm({ alarms, asides: [] });
  const others = alarms.filter((one) => one !== worst);
  const bad = ({ name, critical, message }: LogAlarm, more: readonly LogAlarm[] = []): Fact => ({
    ...common,
    ...{ level: critical ? 'critical' : 'warning', grade: name, about: { ...common.about, code: name } },
    text: [`The log backup of ${clusterId}: ${message}`, ...more.map((one) => one.message)].join(' '),
  });
  const isWantedNow = log !== undefined && isWanted(log);
  const over = isWantedNow
    ? `The log backup of ${clusterId} has no alarm any more.`
    : `No log backup of ${clusterId} is wanted any more.`;
  const standing = asides.map(({ name }) => name);
  return [
    worst ? bad(worst, others) : { ...common, level: 'good', grade: '', text: over },
    ...asides.map((alarm) => ({ ...bad(alarm), subject: `${clusterId}:${alarm.name}` })),
    ...told
      .filter((name) => !standing.includes(name))
      .map((name) => ({
        ...{ ...common, subject: `${clusterId}:${name}`, about: { ...common.about, code: name } },
        ...({ level: 'good', grade: '' } as const),
        text: `The alarm ${name} of the log backup of ${clusterId} is over.`,
      })),
  ];
}

const sentence = (what: string, reason: string) => (reason === '' ? `${what}.` : `${what}: ${reason}`);
