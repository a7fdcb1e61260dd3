/**
 * A simulated year: strategies are saved, paused, resumed and edited, several copies of the scheduler attend to their
 * windows and are killed at any call, and now and then nobody does, or backup-service is away.
 *
 * Time stands still while nothing is to be done: it jumps from one due instant to the next.
 */
import { setImmediate } from 'node:timers/promises';
import { SaveStrategyRequest } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { WEEKDAYS } from '@tidemark/schedule/weekdays';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { createQuarantines } from '../../services/strategy-service/src/quarantines.ts';
import type { Dependencies } from '../../services/strategy-service/src/rpc/context.ts';
import { saveStrategy } from '../../services/strategy-service/src/rpc/save-strategy.ts';
import { strategyId } from '../../services/strategy-service/src/strategy.ts';
import { BackupPeer } from './backup-peer.ts';
import { EVERY_CLUSTER, MEMORY_QUOTAS, MemoryOccurrences, MemoryStrategies } from './memory-stores.ts';
import { ODD_HOURS, type RuleName, ruleNames, someDays, someEdit, somePeriod, type Wish } from './people.ts';
import { type Random, randomOf } from './random.ts';
import { type CopyWorld, SchedulerCopy } from './scheduler-copy.ts';
import type { Span } from './spans.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const SETTINGS = { pollMs: 5 * SECOND, retryMs: 10 * MINUTE, skewMs: 30 * SECOND, spreadMs: 40 * MINUTE };
/** How far two clocks are apart at most. */
export const CLOCKS_MS = 4 * SECOND;
/** Rounds that fail come later each time, up to this. */
export const LONGEST_BACKOFF_MS = 2 * MINUTE;
const COPIES = 3;

/** What a rule was from some time on. */
export interface Version {
  /** True time, in milliseconds. */
  readonly savedAt: number;
  /** The same by the clock of the service that saved it. */
  readonly savedByClock: Date;
  readonly days: readonly string[];
  readonly period: string;
  readonly timeZone: string;
  readonly paused: boolean;
  readonly resumedAt: Date | undefined;
}

export interface YearOptions {
  readonly seed: number;
  readonly year: number;
  readonly strategies: number;
  readonly zones: readonly string[];
}

/** What happened in a year. */
export interface Year {
  readonly rules: readonly RuleName[];
  readonly year: Span;
  /** By `<clusterId>:<rule>`, oldest first. */
  readonly versions: ReadonlyMap<string, readonly Version[]>;
  readonly occurrences: MemoryOccurrences;
  readonly peer: BackupPeer;
  /** When no scheduler ran. */
  readonly outages: readonly Span[];
  /** When backup-service was away. */
  readonly away: readonly Span[];
  /** When a copy was killed or a call failed. */
  readonly faults: readonly number[];
}

interface Deed {
  readonly at: number;
  readonly act: () => Promise<unknown>;
}

/** The same seed makes the same year: while it lasts, `Math.random` of the product is the year's too. */
export async function simulateYear(options: YearOptions): Promise<Year> {
  using _ = ownChance(randomOf(options.seed + 1));
  const simulation = new Simulation(options);
  await simulation.run();
  return simulation.record();
}

function ownChance({ int }: Random): Disposable {
  const { random } = Math;
  Math.random = () => int(2 ** 32) / 2 ** 32;
  return {
    [Symbol.dispose]() {
      Math.random = random;
    },
  };
}

class Simulation {
  readonly #random: Random;
  readonly #year: Span;
  readonly #rules: readonly RuleName[];
  readonly #zones: readonly string[];
  readonly #strategies = new MemoryStrategies();
  readonly #occurrences = new MemoryOccurrences(() => this.#time);
  readonly #peer: BackupPeer;
  readonly #versions = new Map<string, Version[]>();
  readonly #outages: readonly Span[];
  readonly #away: readonly Span[];
  readonly #faults: number[] = [];
  /** What people do, soonest last. */
  readonly #deeds: Deed[] = [];
  readonly #copies: SchedulerCopy[] = [];
  #time: number;
  #failures = 0;

  constructor({ seed, year, strategies, zones }: YearOptions) {
    this.#random = randomOf(seed);
    this.#year = { from: Date.UTC(year, 0, 1), to: Date.UTC(year + 1, 0, 1) };
    this.#time = this.#year.from;
    this.#zones = zones;
    this.#rules = ruleNames(strategies);
    this.#outages = this.#spans(40, 20 * MINUTE, 3 * DAY);
    this.#away = this.#spans(40, 5 * MINUTE, 10 * HOUR);
    this.#peer = new BackupPeer({
      time: () => this.#time,
      isAway: () => isWithin(this.#away, this.#time),
      length: () => this.#random.between(2, 90) * MINUTE,
      clockMs: this.#clock(),
    });
    for (const [index, name] of this.#rules.entries()) this.#planLifeOf(name, index);
    this.#planBackupsByHand();
  }

  record(): Year {
    return {
      rules: this.#rules,
      year: this.#year,
      versions: this.#versions,
      occurrences: this.#occurrences,
      peer: this.#peer,
      outages: this.#outages,
      away: this.#away,
      faults: this.#faults,
    };
  }

  /** Goes on for some days after the year, so that its last windows are decided. */
  async run(): Promise<void> {
    for (let yielded = this.#time; this.#time < this.#year.to + 3 * DAY; ) {
      await this.#step();
      if (this.#time - yielded < DAY) continue;
      await setImmediate();
      yielded = this.#time;
    }
  }

  async #step(): Promise<void> {
    const round = this.#nextRound();
    const deed = this.#deeds.at(-1);
    if (!deed || deed.at > round) {
      this.#time = round;
      return this.#round();
    }
    this.#deeds.pop();
    this.#time = Math.max(this.#time, deed.at);
    // Some meet a round that is under way.
    const during = !this.#isDown() && this.#random.once(3);
    await Promise.all([this.#later(deed.act, during ? this.#random.int(40) : 0), ...(during ? [this.#round()] : [])]);
  }

  /** When a copy looks for work next, and finds some. */
  #nextRound(): number {
    const due = Math.min(this.#strategies.nextStart(), this.#occurrences.nextTry(), this.#year.to + 4 * DAY);
    const pause = Math.min(SETTINGS.pollMs * 2 ** this.#failures, LONGEST_BACKOFF_MS);
    const next = Math.max(due, this.#time) + this.#random.between(1, pause);
    return this.#outages.find(({ from, to }) => from <= next && next < to)?.to ?? next;
  }

  async #round(): Promise<void> {
    const count = this.#random.pick([1, 1, 1, 1, 2, COPIES]);
    const first = this.#random.int(COPIES);
    const copies = Array.from({ length: count }, (_, index) => this.#copy((first + index) % COPIES));
    if (this.#random.once(60)) this.#doom(copies[0] as SchedulerCopy);
    const wentWell = await Promise.all(copies.map((copy) => copy.attend()));
    this.#failures = wentWell.some(Boolean) ? 0 : this.#failures + 1;
  }

  /** A copy at a place; where one was killed, there is another. */
  #copy(place: number): SchedulerCopy {
    const there = this.#copies[place];
    if (there && !there.isDead) return there;
    const copy = new SchedulerCopy(this.#world(), { ...SETTINGS, clockMs: this.#clock() });
    this.#copies[place] = copy;
    return copy;
  }

  #world(): CopyWorld {
    const clockMs = this.#clock();
    return {
      time: () => this.#time,
      turn: () => this.#turn(),
      occurrences: this.#occurrences,
      strategies: () => this.#strategyService(clockMs),
      peer: this.#peer,
    };
  }

  #doom(copy: SchedulerCopy): void {
    copy.doom({
      calls: this.#random.pick([this.#random.int(10), this.#random.int(100)]),
      kind: this.#random.pick(['killed', 'failed']),
      takesEffect: this.#random.once(2),
      happened: () => void this.#faults.push(this.#time),
    });
  }

  async #turn(): Promise<void> {
    this.#time += this.#random.between(0, 10);
    for (let turns = this.#random.int(3); turns > 0; turns -= 1) await Promise.resolve();
  }

  async #later(act: () => Promise<unknown>, turns: number): Promise<void> {
    for (let passed = 0; passed < turns; passed += 1) await this.#turn();
    await act();
  }

  #strategyService(clockMs: number): Dependencies {
    return {
      store: this.#strategies,
      clusters: EVERY_CLUSTER,
      registry: { getStorage: async () => ({ storage: undefined }) },
      quotas: MEMORY_QUOTAS,
      now: () => new Date(this.#time + clockMs),
      timeZone: 'UTC',
      spreadMs: SETTINGS.spreadMs,
      quarantines: createQuarantines(),
      // Strategies for labels have no part in this.
    } as unknown as Dependencies;
  }

  /** How far some clock is ahead. */
  #clock(): number {
    return this.#random.between(-CLOCKS_MS / 2, CLOCKS_MS / 2);
  }

  #isDown(): boolean {
    return isWithin(this.#outages, this.#time);
  }

  // What people do.

  #planLifeOf(name: RuleName, index: number): void {
    const { from, to } = this.#year;
    const since = from + (this.#random.once(10) ? this.#random.int(300 * DAY) : this.#random.int(DAY));
    const [odd] = ODD_HOURS.slice(index, index + 1);
    if (odd) {
      const [timeZone, period] = odd;
      this.#plan(since, () => this.#save(name, { days: WEEKDAYS.join(','), period, timeZone }));
      return;
    }
    const timeZone = this.#zones[index % this.#zones.length] ?? 'UTC';
    this.#plan(since, () =>
      this.#save(name, { days: someDays(this.#random), period: somePeriod(this.#random), timeZone }),
    );
    for (let count = this.#random.int(14); count > 0; count -= 1)
      this.#plan(this.#random.between(since + HOUR, to), () => this.#choose(name));
  }

  /** Somewhen, or just when a window of the rule is taken up, or while it is open, or while it waits. */
  async #choose(name: RuleName): Promise<void> {
    const act = () => this.#change(name);
    const window = this.#strategies.documents.get(strategyId(name.clusterId, name.rule))?.nextWindow;
    if (!window) return act();
    const { opensAt, closesAt, startAt } = window;
    const within = this.#random.between(+opensAt, +closesAt);
    switch (this.#random.int(4)) {
      case 0:
        return void this.#plan(+startAt + this.#random.between(-15 * SECOND, 15 * SECOND), act);
      case 1:
        return void this.#plan(within, act);
      case 2:
        this.#plan(+startAt - MINUTE, async () => this.#peer.startByHand(name.clusterId, +closesAt - +startAt));
        return void this.#plan(within, act);
      default:
        return act();
    }
  }

  async #change(name: RuleName): Promise<void> {
    const paused = this.#strategies.documents.get(strategyId(name.clusterId, name.rule))?.paused;
    switch (this.#random.int(5)) {
      case 0:
        return this.#save(name, { storageId: this.#random.pick(['', 'nfs', 's3']) });
      case 1:
      case 2:
        if (!paused) return this.#pause(name);
        return this.#save(name, { paused: false });
      default:
        return this.#save(name, someEdit(this.#random, this.#zones));
    }
  }

  async #pause(name: RuleName): Promise<void> {
    const length = this.#random.pick([2 * MINUTE, 3 * HOUR, 2 * DAY, 20 * DAY]);
    this.#plan(this.#time + this.#random.between(length / 2, length), () =>
      this.#save(name, { paused: false, ...(this.#random.once(4) && someEdit(this.#random, this.#zones)) }),
    );
    await this.#save(name, { paused: true });
  }

  async #save({ clusterId, rule }: RuleName, wish: Wish): Promise<void> {
    const save = saveStrategy(this.#strategyService(this.#clock()));
    const request = SaveStrategyRequest.create({ clusterId, rule, ...wish });
    const context = { caller: 'somebody', requestId: `r${this.#time}`, signal: new AbortController().signal };
    if (!this.#versions.has(strategyId(clusterId, rule))) request.createOnly = true;
    const { strategy } = await save(request, context as CallContext);
    if (!strategy?.updateTime) throw new Error('a save answered no strategy');
    const { days, period, timeZone, paused, resumedAt, updateTime: savedByClock } = strategy;
    const version = { savedAt: this.#time, savedByClock, days, period, timeZone, paused, resumedAt };
    const id = strategyId(clusterId, rule);
    this.#versions.set(id, [...(this.#versions.get(id) ?? []), version]);
  }

  /** Often just before a window of the cluster. */
  #planBackupsByHand(): void {
    for (let count = this.#rules.length * 4; count > 0; count -= 1) {
      const name = this.#random.pick(this.#rules);
      const start = async () => {
        const length = this.#random.pick([10 * MINUTE, HOUR, 5 * HOUR]);
        this.#peer.startByHand(name.clusterId, length);
      };
      this.#plan(this.#random.between(this.#year.from, this.#year.to), async () => {
        const window = this.#strategies.documents.get(strategyId(name.clusterId, name.rule))?.nextWindow;
        if (!window || this.#random.once(2)) return start();
        this.#plan(+window.startAt - 5 * MINUTE, start);
      });
    }
  }

  #plan(at: number, act: () => Promise<unknown>): void {
    const before = this.#deeds.findLastIndex((deed) => deed.at >= at);
    this.#deeds.splice(before + 1, 0, { at, act });
  }

  /** Stretches of time in the year that do not touch, each in its own part of it. */
  #spans(count: number, shortest: number, longest: number): Span[] {
    const part = (this.#year.to - this.#year.from) / count;
    return Array.from({ length: count }, (_, index) => {
      const length = Math.round(shortest * (longest / shortest) ** (this.#random.int(1_000) / 1_000));
      const from = Math.round(this.#year.from + index * part + this.#random.int(part - length));
      return { from, to: from + length };
    });
  }
}

export function isWithin(spans: readonly Span[], time: number): boolean {
  return spans.some(({ from, to }) => from <= time && time < to);
}
