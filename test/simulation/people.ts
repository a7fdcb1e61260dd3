/** What people ask for in a simulated year: rules in many zones, and what they change about them. */
import { WEEKDAYS } from '@tidemark/schedule/weekdays';
import type { Random } from './random.ts';

/** Zones of every offset and habit. */
export const ZONES = [
  'Africa/Cairo',
  'Africa/Casablanca',
  'Africa/Johannesburg',
  'America/Adak',
  'America/Asuncion',
  'America/Caracas',
  'America/Chicago',
  'America/Havana',
  'America/Los_Angeles',
  'America/Miquelon',
  'America/New_York',
  'America/Nuuk',
  'America/Santiago',
  'America/Sao_Paulo',
  'America/Scoresbysund',
  'America/St_Johns',
  'Antarctica/Troll',
  'Asia/Beirut',
  'Asia/Famagusta',
  'Asia/Gaza',
  'Asia/Jerusalem',
  'Asia/Kathmandu',
  'Asia/Kolkata',
  'Asia/Pyongyang',
  'Asia/Shanghai',
  'Asia/Tehran',
  'Asia/Tokyo',
  'Atlantic/Azores',
  'Australia/Adelaide',
  'Australia/Lord_Howe',
  'Europe/Berlin',
  'Europe/Dublin',
  'Europe/Istanbul',
  'Europe/London',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Pacific/Easter',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
  'UTC',
] as const;

/** Zones that skipped a day in 2011, or changed for good what they do. */
export const ZONES_OF_2011 = [
  'Africa/Cairo',
  'Africa/Casablanca',
  'America/Santiago',
  'Asia/Gaza',
  'Asia/Hebron',
  'Asia/Yakutsk',
  'Europe/Istanbul',
  'Europe/Minsk',
  'Europe/Moscow',
  'Pacific/Apia',
  'Pacific/Fakaofo',
] as const;

/** Every day just when clocks change: what nobody touches all year. */
export const ODD_HOURS = [
  ['Africa/Cairo', '0:10-0:40'],
  ['America/Havana', '0:30-0:50'],
  ['America/Nuuk', '23:20-23:40'],
  ['America/Santiago', '23:30-0:30'],
  ['America/Scoresbysund', '23:10-0:30'],
  ['Antarctica/Troll', '1:30-2:30'],
  ['Asia/Gaza', '2:10-2:30'],
  ['Australia/Lord_Howe', '2:05-2:20'],
] as const;

export interface RuleName {
  readonly clusterId: string;
  readonly rule: string;
}

/** What a save says. */
export interface Wish {
  readonly days?: string;
  readonly period?: string;
  readonly timeZone?: string;
  readonly paused?: boolean;
  readonly storageId?: string;
}

/** Most clusters have one rule, some two and some three. */
export function ruleNames(count: number): RuleName[] {
  const names: RuleName[] = [];
  for (let cluster = 0; names.length < count; cluster += 1) {
    const rules = ['default', ...(cluster % 3 === 1 ? ['weekly'] : []), ...(cluster % 6 === 1 ? ['offsite'] : [])];
    names.push(...rules.map((rule) => ({ clusterId: `c${cluster}`, rule })));
  }
  return names.slice(0, count);
}

/** Mostly one or two days a week. */
export function someDays(random: Random): string {
  if (random.once(50)) return WEEKDAYS.join(',');
  const count = random.pick([1, 1, 1, 1, 2]);
  return Array.from({ length: count }, () => random.pick(WEEKDAYS)).join(',');
}

/** Whole days, nights, up to midnight, anything, and often short ones at the hours at which clocks change. */
export function somePeriod(random: Random): string {
  const start = random.pick([random.int(144) * 10, random.int(24) * 10, 1380 + random.int(6) * 10]);
  const minutes = random.pick([10, 15, 30, 45, 60, 90, 180, 360, 720, 1430, 1440]);
  const end = (start + minutes) % 1440;
  return `${clock(start)}-${end === 0 && random.once(2) ? '24:00' : clock(end)}`;
}

function clock(minutes: number): string {
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}`;
}

/** An edit of what decides about windows. */
export function someEdit(random: Random, zones: readonly string[]): Wish {
  switch (random.int(4)) {
    case 0:
      return { days: someDays(random) };
    case 1:
      return { timeZone: random.pick(zones) };
    case 2:
      return { period: somePeriod(random), days: someDays(random), timeZone: random.pick(zones) };
    default:
      return { period: somePeriod(random) };
  }
}
