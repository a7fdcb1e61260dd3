/**
 * Compares what happened in a simulated year with what the wall clocks of the zones ask for: the windows come from the
 * oracle of packages/schedule, which knows neither Temporal nor the code that plans.
 *
 * J1. While a rule is neither paused nor edited, each of its windows has exactly one occurrence, with the oracle's very
 *     times, and there is no other. That holds through outages.
 * J2. An edit counts from its instant: a window that was not taken up by then is gone if the new rule has it no longer;
 *     one of the new rule that is open already counts, unless it resumes a pause; and one whose local date is not after
 *     that of the last window taken up, or that is open and opened before that one closes, does not (`plan`). One that
 *     came while the rule was being paused or edited may count as taken up or not.
 * J3. A window starts a backup if, and only if, there was time for it: while it was open and due, a scheduler and
 *     backup-service were there, the cluster was not busy, and the rule had the window, was not paused and had not been
 *     resumed since it opened (`nextStep`). Where something was in the way, also of a try whose clock is ahead, there is
 *     time until the next try (`nextTryAt`), which comes before the close. After an outage that ends when another rule of the cluster has its one start (J5).
 *     What did not start says why, truly.
 * J4. Each backup that was not started by hand belongs to an occurrence that says Started, and none started outside
 *     `startAt` to `closesAt`.
 * J5. After an outage at most one backup of a cluster starts of all windows that came during it.
 *
 * Where people act in the very moment in which a window is taken up either may be first; only there both are right.
 */
import { parsePeriod } from '@tidemark/schedule/period';
import { startWithin } from '@tidemark/schedule/start-offset';
import { type ExpectedWindow, expectedWindows } from '@tidemark/schedule/testing/oracle';
import { WEEKDAYS, type Weekday } from '@tidemark/schedule/weekdays';
import { type Occurrence, occurrenceId } from '../../services/scheduler-service/src/catch-up.ts';
import type { RuleName } from './people.ts';
import { type Span, Timeline, touches, without } from './spans.ts';
import { CLOCKS_MS, LONGEST_BACKOFF_MS, SETTINGS, type Version, type Year } from './year.ts';

const DAY = 86_400_000;
/** Within which a window that is due is taken up, and its backup started, where nothing is in the way. */
const PROMPT_MS = 50_000;
/** The same after anything was in the way, beside the wait for the next try: the loop backs off. */
const RECOVERY_MS = LONGEST_BACKOFF_MS + 60_000;
/** Between reading a rule and acting upon it. */
const ACT_MS = 15_000;
/** Longer than anything is in the way. */
const LONGEST_MS = 10 * DAY;
/** `late` begins a minute after the start. */
const LATE_MS = 75_000;

interface Expected extends ExpectedWindow {
  readonly startAt: Date;
  /** The local day whose window it is, counted since 1970. */
  readonly day: number;
  /** Whether it may also be missing. */
  readonly optional: boolean;
  /** While it was the rule's. */
  readonly held: Span;
}

/** A stretch of time in which a rule had the same windows. */
interface Stretch extends Span {
  /** From when on windows count, by the clock of the service that saved it. */
  readonly since: Date;
  readonly version: Version;
  /** Whether a window that is open at `since` counts. */
  readonly startsOpen: boolean;
}

interface Busy extends Span {
  readonly key: string;
}

/** What was looked at, so that a test can see that it looked at much. */
export interface Verdict {
  /** Each a sentence; none where all is as it must be. */
  readonly differences: readonly string[];
  readonly windows: number;
  /** Of them those of which exactly one outcome was right. */
  readonly certain: number;
  readonly outcomes: ReadonlyMap<string, number>;
}

export function judge(year: Year): Verdict {
  return new Judge(year).verdict();
}

class Judge {
  readonly #year: Year;
  readonly #differences: string[] = [];
  readonly #outcomes = new Map<string, number>();
  /** When nothing could be taken up or started, and instants at which something went wrong. */
  readonly #hindrances: Timeline;
  /** When a cluster had an active backup, and under which key. */
  readonly #busy: ReadonlyMap<string, Timeline<Busy>>;
  #windows = 0;
  #certain = 0;

  constructor(year: Year) {
    this.#year = year;
    const faults = year.faults.map((at) => ({ from: at, to: at }));
    this.#hindrances = new Timeline([...year.outages, ...year.away, ...faults]);
    this.#busy = new Map(
      year.peer.ofCluster.entries().map(([clusterId, backups]) => {
        const busy = backups.map(({ key, startedAt, endsAt }) => ({ key, from: startedAt, to: endsAt }));
        return [clusterId, new Timeline(busy)];
      }),
    );
  }

  verdict(): Verdict {
    const all = this.#year.occurrences.documents.values();
    const byRule = Map.groupBy(all, ({ clusterId, rule }) => `${clusterId}:${rule}`);
    for (const name of this.#year.rules) this.#judgeRule(name, byRule.get(`${name.clusterId}:${name.rule}`) ?? []);
    this.#judgeBackups();
    this.#judgeOutages();
    return {
      differences: this.#differences,
      windows: this.#windows,
      certain: this.#certain,
      outcomes: this.#outcomes,
    };
  }

  /** Those of the year itself: what comes after it may be unfinished. */
  #judged(): Occurrence[] {
    return [...this.#year.occurrences.documents.values()].filter((occurrence) => this.#isOfYear(occurrence));
  }

  #isOfYear({ opensAt }: { readonly opensAt: Date }): boolean {
    return +opensAt < this.#year.year.to;
  }

  #judgeRule(name: RuleName, all: readonly Occurrence[]): void {
    const found = new Map(all.map((occurrence) => [+occurrence.opensAt, occurrence]));
    const versions = this.#year.versions.get(`${name.clusterId}:${name.rule}`) ?? [];
    // What was taken up after the year decides about those of its end that an edit may bring.
    const expected = this.#expected(name, stretchesOf(versions, this.#year.year.to + 3 * DAY), found).filter((window) =>
      this.#isOfYear(window),
    );
    for (const window of expected) this.#judgePresence(name, window, found.get(+window.opensAt));
    const byOpening = Map.groupBy(expected, ({ opensAt }) => +opensAt);
    for (const occurrence of all.filter((one) => this.#isOfYear(one))) {
      this.#judgeTimes(occurrence, byOpening.get(+occurrence.opensAt) ?? []);
      this.#judgeOutcome(occurrence, versions);
    }
  }

  // J1 and J2

  #expected(
    name: RuleName,
    stretches: readonly Stretch[],
    found: ReadonlyMap<number, Occurrence>,
  ): readonly Expected[] {
    const all: Expected[] = [];
    for (const stretch of stretches) {
      const taken = this.#lastTaken(all, found, stretch.from);
      for (const window of windowsOf(stretch, name)) {
        const served = taken.map((last) => isServed(window, last, stretch.since));
        const due = this.#isTakenUp(window, stretch);
        if (due === 'no' || served.every(Boolean)) continue;
        all.push({ ...window, optional: due === 'perhaps' || served.some(Boolean) });
      }
    }
    return all;
  }

  /** The last window that was taken up before an edit; more than one where that cannot be known. */
  #lastTaken(
    expected: readonly Expected[],
    found: ReadonlyMap<number, Occurrence>,
    before: number,
  ): readonly (Expected | undefined)[] {
    const taken = expected
      .flatMap((window) => {
        const occurrence = found.get(+window.opensAt);
        const at = occurrence && this.#year.occurrences.insertedAt.get(occurrence._id);
        return at === undefined || at > before ? [] : [{ window, at }];
      })
      .sort((one, other) => one.at - other.at);
    // One that an edit kept stands there for each stretch.
    const [last, previous] = [...Map.groupBy(taken, ({ window }) => +window.opensAt).values()].reverse();
    if (!last) return [undefined];
    const windows = last.map(({ window }) => window);
    // It may have been inserted without the rule having been moved on, which nobody does once it was paused or edited.
    if (last.some(({ at, window: { held } }) => this.#hadTime(Math.max(at, held.from), Math.min(before, held.to))))
      return windows;
    return [...windows, ...(previous?.map(({ window }) => window) ?? [undefined])];
  }

  #isTakenUp({ startAt }: Expected, { to }: Stretch): 'yes' | 'no' | 'perhaps' {
    if (this.#hadTime(+startAt, to)) return 'yes';
    return +startAt > to + ACT_MS ? 'no' : 'perhaps';
  }

  #judgePresence({ clusterId, rule }: RuleName, window: Expected, occurrence: Occurrence | undefined): void {
    const id = occurrenceId(clusterId, rule, window.opensAt);
    if (!occurrence && !window.optional) this.#differs(id, `was to open until ${iso(window.closesAt)}, and never came`);
  }

  #judgeTimes({ _id, closesAt, startAt }: Occurrence, same: readonly Expected[]): void {
    const right = same.some((window) => +window.closesAt === +closesAt && +window.startAt === +startAt);
    if (same.length === 0) this.#differs(_id, 'came, and nobody asked for it');
    else if (!right) this.#differs(_id, `closes ${iso(closesAt)} and starts ${iso(startAt)}: ${JSON.stringify(same)}`);
  }

  // J3

  #judgeOutcome(occurrence: Occurrence, versions: readonly Version[]): void {
    const { _id, state, code } = occurrence;
    const outcome = code ? `${state} ${code}` : state;
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    this.#windows += 1;
    const chances = this.#chances(occurrence, versions);
    const free = chances.flatMap((chance) => without(chance, this.#caughtUp(occurrence)));
    const good = free.some((chance) => isGood(chance, occurrence));
    if (good || free.length === 0) this.#certain += 1;
    if (state === 'Pending') this.#differs(_id, 'was never decided');
    else if (state === 'Started') this.#judgeStart(occurrence, chances);
    else if (code === 'CATCH_UP') this.#judgeCatchUp(occurrence);
    else if (good) this.#differs(_id, `is ${outcome}, although there was time to start: ${spansText(free)}`);
    else this.#judgeReason(occurrence, versions);
  }

  #judgeStart(occurrence: Occurrence, chances: readonly Span[]): void {
    const backup = this.#year.peer.byKey.get(occurrence._id);
    if (!backup) {
      this.#differs(occurrence._id, 'says Started, and has no backup');
      return;
    }
    if (backup.id !== occurrence.backupId)
      this.#differs(occurrence._id, `names ${occurrence.backupId}, not ${backup.id}`);
    const { startedAt } = backup;
    if (!chances.some(({ from, to }) => from - ACT_MS <= startedAt && startedAt <= to + ACT_MS))
      this.#differs(occurrence._id, `was started at ${iso(startedAt)}, and might only ${spansText(chances)}`);
  }

  /** When its backup could be started, in order; from some seconds before, for clocks differ. */
  #chances({ _id, clusterId, opensAt, closesAt, startAt }: Occurrence, versions: readonly Version[]): Span[] {
    const open = { from: +startAt - CLOCKS_MS, to: +closesAt };
    const before = { from: 0, to: versions[0]?.savedAt ?? 0 };
    const forbidden = versions
      .map((version, index) => ({ version, time: timeOf(version, versions[index + 1]) }))
      .filter(({ version, time }) => touches(time, open) && !allows(version, opensAt))
      .map(({ time }) => time);
    const busy = this.#busyWithOthers(clusterId, _id, open);
    return without(open, [before, ...forbidden, ...busy, ...this.#hindrances.touching(open)]);
  }

  #busyWithOthers(clusterId: string, key: string, span: Span): Span[] {
    return (this.#busy.get(clusterId)?.touching(span) ?? []).filter((other) => other.key !== key);
  }

  /** From when on another rule had the one start that the cluster gets after an outage (J5). */
  #caughtUp({ clusterId, rule, late, opensAt, startAt }: Occurrence): Span[] {
    if (!late) return [];
    return (this.#year.peer.ofCluster.get(clusterId) ?? []).flatMap(({ key, startedAt }) => {
      const other = this.#year.occurrences.documents.get(key);
      if (!other?.late || other.rule === rule || startedAt < +startAt || +other.opensAt < +opensAt - 2 * DAY) return [];
      return [{ from: startedAt, to: Number.POSITIVE_INFINITY }];
    });
  }

  #judgeCatchUp(occurrence: Occurrence): void {
    const { _id, clusterId, rule, closesAt, startAt, late } = occurrence;
    if (!late) this.#differs(_id, 'had no outage to catch up after');
    const others = this.#judged().filter(
      (other) =>
        other.clusterId === clusterId &&
        other.rule !== rule &&
        other.late &&
        other.startAt < closesAt &&
        startAt < other.closesAt,
    );
    if (others.every(({ code }) => code === 'CATCH_UP')) this.#differs(_id, 'gave way to no other');
  }

  #judgeReason(
    { _id, clusterId, opensAt, closesAt, startAt, state, code }: Occurrence,
    versions: readonly Version[],
  ): void {
    const window = { from: +startAt - ACT_MS, to: +closesAt + ACT_MS };
    const during = versions.filter((version, index) => touches(window, timeOf(version, versions[index + 1])));
    const isHindered = () => this.#hindrances.touching(window).length > 0;
    const holds = {
      CLUSTER_BUSY: () => this.#busyWithOthers(clusterId, _id, window).length > 0,
      STRATEGY_PAUSED: () => during.some((version) => version.paused || isResumedAfter(version, opensAt)),
      STRATEGY_CHANGED: () => during.some((version) => !hasWindow(version, opensAt)),
      BACKEND_AWAY: isHindered,
      NO_SCHEDULER: isHindered,
    } as const;
    const missed = code === 'NO_SCHEDULER' || code === 'BACKEND_AWAY';
    if ((state === 'Missed') !== missed) this.#differs(_id, `is ${state} because of ${code}`);
    if (!Object.hasOwn(holds, code) || !holds[code as keyof typeof holds]())
      this.#differs(_id, `is ${state} because of ${code}, which was not so`);
  }

  // J4

  #judgeBackups(): void {
    for (const { key, startedByClock, startedAt } of this.#year.peer.byKey.values()) {
      const occurrence = this.#year.occurrences.documents.get(key);
      if (!occurrence) this.#differs(key, 'was started, and has no occurrence');
      else if (+occurrence.opensAt < this.#year.year.to && occurrence.state !== 'Started')
        this.#differs(key, `was started, and says ${occurrence.state} ${occurrence.code}`);
      else if (startedByClock > +occurrence.closesAt) this.#differs(key, `was started too late, ${iso(startedAt)}`);
      else if (startedAt < +occurrence.startAt - CLOCKS_MS)
        this.#differs(key, `was started too early, ${iso(startedAt)}`);
    }
  }

  // J5

  #judgeOutages(): void {
    const backups = [...this.#year.peer.byKey.values()].map(({ key, clusterId, startedAt }) => ({
      key,
      clusterId,
      startedAt,
      dueAt: +(this.#year.occurrences.documents.get(key)?.startAt ?? 0),
    }));
    for (const { from, to } of this.#year.outages) {
      const caughtUp = backups.filter(
        ({ startedAt, dueAt }) => from < dueAt && dueAt < to - LATE_MS && startedAt >= to,
      );
      for (const [clusterId, several] of Map.groupBy(caughtUp, (backup) => backup.clusterId))
        if (several.length > 1)
          this.#differs(
            clusterId,
            `was backed up ${several.length} times after an outage: ${several.map(({ key }) => key)}`,
          );
    }
  }

  /** Whether nothing was in the way of something due from a time on for long enough. */
  #hadTime(due: number, until: number): boolean {
    const span = { from: due, to: Math.min(until, due + LONGEST_MS) };
    return without(span, this.#hindrances.touching(span)).some((left) => isEnough(left, due));
  }

  #differs(id: string, how: string): void {
    this.#differences.push(`${id} ${how}`);
  }
}

function stretchesOf(versions: readonly Version[], end: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (const [index, version] of versions.entries()) {
    const before = versions[index - 1];
    const to = Math.min(versions[index + 1]?.savedAt ?? end, end);
    const last = stretches.at(-1);
    if (last && before && isSame(before, version)) stretches[stretches.length - 1] = { ...last, to };
    else
      stretches.push({ from: version.savedAt, to, since: version.savedByClock, version, startsOpen: !before?.paused });
  }
  return stretches.filter(({ version }) => !version.paused);
}

function isSame(one: Version, other: Version): boolean {
  const text = ({ days, period, timeZone, paused }: Version) =>
    JSON.stringify([[...days].sort(), period, timeZone, paused]);
  return text(one) === text(other);
}

/** The windows that count from the beginning of a stretch on, those after its end too if they open at once. */
function windowsOf(stretch: Stretch, { clusterId, rule }: RuleName): Expected[] {
  const { since, to, startsOpen, version } = stretch;
  return daysOf(+since - 3 * DAY, to + 3 * DAY).flatMap((day) =>
    windowsOn(version, day).flatMap((window) => {
      const opened = window.opensAt <= since;
      if (opened && !(startsOpen && window.closesAt > since)) return [];
      const planned = startWithin(window, clusterId, rule, SETTINGS.spreadMs);
      const startAt = opened ? since : planned;
      return [{ ...window, startAt, day, optional: false, held: { from: stretch.from, to } }];
    }),
  );
}

const known = new Map<string, readonly ExpectedWindow[]>();

/** The oracle's window of a local day, counted since 1970, if it has one. */
function windowsOn({ days, period, timeZone }: Version, day: number): readonly ExpectedWindow[] {
  const weekday = WEEKDAYS[(day + 3) % 7] as Weekday; // 1970-01-01 was a Thursday
  if (!days.includes(weekday)) return [];
  const key = `${day} ${period} ${timeZone}`;
  const found = known.get(key);
  if (found) return found;
  const parsed = parsePeriod(period);
  if (!parsed) throw new Error(`${period} is no period`);
  const windows = expectedWindows({ days: [weekday], period: parsed, timeZone }, dateOf(day), dateOf(day + 1));
  known.set(key, windows);
  return windows;
}

function isServed(window: Expected, last: Expected | undefined, since: Date): boolean {
  if (!last) return false;
  return window.day <= last.day || (window.opensAt <= since && window.opensAt < last.closesAt);
}

/** For how long a version held. */
function timeOf({ savedAt }: Version, next: Version | undefined): Span {
  return { from: savedAt, to: next?.savedAt ?? Number.POSITIVE_INFINITY };
}

function allows(version: Version, opensAt: Date): boolean {
  return !version.paused && !isResumedAfter(version, opensAt) && hasWindow(version, opensAt);
}

function isResumedAfter({ resumedAt }: Version, opensAt: Date): boolean {
  return resumedAt !== undefined && resumedAt > opensAt;
}

function hasWindow(version: Version, opensAt: Date): boolean {
  return daysOf(+opensAt - 2 * DAY, +opensAt + 2 * DAY).some((day) =>
    windowsOn(version, day).some((window) => +window.opensAt === +opensAt),
  );
}

function daysOf(from: number, to: number): number[] {
  const first = Math.floor(from / DAY);
  return Array.from({ length: Math.floor(to / DAY) - first + 1 }, (_, index) => first + index);
}

function dateOf(day: number): string {
  return new Date(day * DAY).toISOString().slice(0, 10);
}

/** Whether a chance had to be taken: tries are made after `retryMs`, or halfway to the close where that is sooner. */
function isGood(chance: Span, { startAt, closesAt }: Occurrence): boolean {
  const retryMs = Math.min(SETTINGS.retryMs, (+closesAt - chance.from) / 2);
  // By the clock that is furthest ahead: what was in the way of its try was in the way.
  return isEnough(chance, +startAt - CLOCKS_MS, retryMs);
}

/** @param retryMs how long after what was in the way the next try may come */
function isEnough({ from, to }: Span, due: number, retryMs: number = SETTINGS.retryMs): boolean {
  return to - from > (from <= due ? PROMPT_MS : RECOVERY_MS + retryMs);
}

function iso(time: number | Date): string {
  return new Date(time).toISOString();
}

function spansText(spans: readonly Span[]): string {
  return spans.map(({ from, to }) => `${iso(from)} to ${iso(to)}`).join(', ') || 'never';
}
