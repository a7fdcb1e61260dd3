/** What the audit says, and how it is asked. Pure. */
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type AuditEntry, AuditOutcome } from '@tidemark/protocol/connect/tidemark/backup/v1/audit_service';
import { anything, type Query, type Taken } from './query.ts';
import { pathOf, type Same } from './shell.ts';
import { isOneOf, numberOf, type Word, wordOf } from './words.ts';

export const OUTCOMES: ReadonlyMap<AuditOutcome, Word> = new Map<AuditOutcome, Word>([
  [AuditOutcome.OK, { name: 'ok', text: 'Done', tone: 'good' }],
  [AuditOutcome.REFUSED, { name: 'refused', text: 'Refused', tone: 'warn' }],
  [AuditOutcome.FAILED, { name: 'failed', text: 'Failed', tone: 'bad' }],
]);

/** A thing that an entry is about, and its page where it has one. */
export interface Subject {
  readonly kind: string;
  readonly id: string;
  readonly page: string | undefined;
}

export function subjectsOf(entry: AuditEntry): Subject[] {
  const { clusterId, backupId, restoreId, storageId, rule, fleetStrategy, token, receiver } = entry;
  const all = [
    ['cluster', clusterId, pathOf(['clusters', clusterId])],
    ['rule', rule, clusterId === '' ? undefined : pathOf(['clusters', clusterId, 'rules', rule])],
    ['strategy', fleetStrategy, pathOf(['plans', fleetStrategy])],
    ['backup', backupId, pathOf(['backups', backupId])],
    ['restore', restoreId, pathOf(['restores', restoreId])],
    ['storage', storageId, pathOf(['storages', storageId])],
    ['token', token, undefined],
    ['receiver', receiver, pathOf(['notifications', receiver])],
  ] as const;
  return all.filter(([, id]) => id !== '').map(([kind, id, page]) => ({ kind, id, page }));
}

/** Filters that are texts, and those that are moments, by their names in the address. */
export const TEXTS = ['caller', 'what', 'clusterId'] as const;
export const MOMENTS = ['from', 'to'] as const;

export interface AuditFilter {
  readonly caller: string;
  readonly what: string;
  readonly clusterId: string;
  readonly outcome: AuditOutcome | undefined;
  /** In milliseconds. */
  readonly from: number | undefined;
  readonly to: number | undefined;
}

const isMoment = (value: string): boolean => !Number.isNaN(Date.parse(value));
export const TAKEN: Taken = {
  ...{ caller: anything, what: anything, clusterId: anything, after: anything },
  ...{ outcome: isOneOf(OUTCOMES), from: isMoment, to: isMoment },
};

/** The filters of an address; what is none there filters nothing. */
export function filterOf(query: Pick<Query, 'get'>): AuditFilter {
  const [from, to] = MOMENTS.map((name) => Date.parse(query.get(name) ?? ''));
  return {
    caller: query.get('caller') ?? '',
    what: query.get('what') ?? '',
    clusterId: query.get('clusterId') ?? '',
    outcome: numberOf(OUTCOMES, query.get('outcome') ?? ''),
    from: Number.isNaN(from) ? undefined : from,
    to: Number.isNaN(to) ? undefined : to,
  };
}

/** What asks for them, but which page. */
export function requestOf({ caller, what, clusterId, outcome, from, to }: AuditFilter) {
  return {
    ...{ caller, what },
    clusterIds: clusterId === '' ? [] : [clusterId],
    ...(outcome !== undefined && { outcome }),
    ...(from !== undefined && { from: timestampFromMs(from) }),
    ...(to !== undefined && { to: timestampFromMs(to) }),
  };
}

/** The same over REST and on the command line. */
export function sameList(filter: AuditFilter, pageSize: number): Same {
  const { caller, what, clusterId, outcome, from, to } = filter;
  const told: readonly (readonly [name: string, flag: string, value: string | undefined])[] = [
    ['caller', '--caller', caller],
    ['what', '--what', what],
    ['clusterId', '--cluster', clusterId],
    ['outcome', '--outcome', outcome === undefined ? '' : wordOf(OUTCOMES, outcome).name],
    ['from', '--since', from === undefined ? '' : new Date(from).toISOString()],
    ['to', '--until', to === undefined ? '' : new Date(to).toISOString()],
  ];
  const set = told.flatMap(([name, flag, value]) => (value ? [{ name, flag, value }] : []));
  const query = new URLSearchParams(set.map(({ name, value }) => [name, value]));
  query.set('pageSize', String(pageSize));
  return {
    method: 'GET',
    path: `/audit?${query}`,
    tidemark: ['audit', ...set.flatMap(({ flag, value }) => [flag, value])],
  };
}

/** As an input of a moment has it, in the reader's zone. */
export function localInput(ms: number | undefined): string {
  if (ms === undefined) return '';
  const date = new Date(ms);
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
