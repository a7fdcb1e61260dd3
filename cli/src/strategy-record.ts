/** How strategies are shown to people. Pure. */
import type { FleetStrategy, Strategy } from './api-types.ts';
import type { Column, Field } from './table.ts';
import { isSet, labelsOf, when } from './text.ts';

type Either = Strategy | FleetStrategy;

const DAYS = {
  keepLast: 'last',
  keepDays: 'days',
  daily: 'daily',
  weekly: 'weekly',
  monthly: 'monthly',
  yearly: 'yearly',
} as const;

export function retentionText(retention: Either['retention']): string {
  if (retention === null) return 'everything';
  return Object.entries(DAYS)
    .flatMap(([field, word]) => {
      const count = retention[field as keyof typeof DAYS];
      return count === undefined ? [] : [`${word} ${count}`];
    })
    .join(', ');
}

const planOf = ({ backupDate, period, timeZone }: Either): string =>
  backupDate === '' ? 'no automatic backups' : `${backupDate} ${period}${timeZone === '' ? '' : ` ${timeZone}`}`;

export const STRATEGY_COLUMNS: readonly Column<Strategy>[] = [
  { title: 'RULE', of: ({ rule }) => rule },
  { title: 'PLAN', of: planOf },
  { title: 'NEXT', of: ({ nextWindow, paused }) => (paused ? 'paused' : when(nextWindow?.startAt)) },
  { title: 'KEEPS', of: ({ retention }) => retentionText(retention) },
  { title: 'FROM', of: ({ source }) => source.name ?? source.kind, wide: true },
  { title: 'STORAGE', of: ({ storageId }) => storageId, wide: true },
];

export const FLEET_STRATEGY_COLUMNS: readonly Column<FleetStrategy>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'LABELS', of: ({ selector }) => labelsOf(selector) },
  { title: 'PLAN', of: planOf },
  { title: 'CLUSTERS', of: ({ clusters }) => String(clusters) },
  { title: 'KEEPS', of: ({ retention }) => retentionText(retention) },
  { title: 'RULE', of: ({ rule }) => rule, wide: true },
  { title: 'PRIORITY', of: ({ priority }) => String(priority), wide: true },
];

export function strategyFields(strategy: Strategy): Field[] {
  const { source, nextWindow, paused, pausedBy } = strategy;
  return [
    ['cluster', strategy.clusterId],
    ['rule', strategy.rule],
    ['from', source.kind === 'fleet' ? `the strategy ${source.name ?? ''} for labels` : ''],
    ['paused', paused ? `yes${pausedBy === 'fleet' ? ', by the strategy for labels' : ''}` : '', 'yellow'],
    ['next start', when(nextWindow?.startAt)],
    ...common(strategy),
  ];
}

export function fleetStrategyFields(strategy: FleetStrategy): Field[] {
  return [
    ['name', strategy.name],
    ['labels', labelsOf(strategy.selector)],
    ['priority', String(strategy.priority)],
    ['rule', strategy.rule],
    ['clusters', `${strategy.clusters}${strategy.applied ? '' : ' (being applied)'}`],
    ['paused', strategy.paused ? 'yes' : '', 'yellow'],
    ...common(strategy),
  ];
}

function common(strategy: Either): Field[] {
  const { verify, revision, updateTime, updatedBy } = strategy;
  return [
    ['plan', planOf(strategy)],
    ['keeps', retentionText(strategy.retention)],
    [
      'verified',
      verify && `every ${verify.every}, ${verify.level}${verify.sample < 1 ? `, a part of ${verify.sample}` : ''}`,
    ],
    ['at the window’s end', strategy.windowEnd],
    ['storage', strategy.storageId],
    ['br options', strategy.brOptions && JSON.stringify(strategy.brOptions)],
    ['revision', String(revision)],
    ['saved', isSet(updateTime) ? `${when(updateTime)}${updatedBy ? ` by ${updatedBy}` : ''}` : ''],
  ];
}
