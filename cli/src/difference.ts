/** What of a thing would change. Pure. */
import type { Kind } from './manifest.ts';

export interface Change {
  readonly field: string;
  /** What it is; nothing where the thing is new, or the field is not set. */
  readonly from?: unknown;
  readonly to?: unknown;
}

interface Named {
  readonly kind: Kind;
  readonly id: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** What the API makes of a field that is left out, where that is not nothing. */
const DEFAULTS: Readonly<Record<Kind, Fields>> = {
  Storage: {
    ...{ root: 'nfs/em/backup', maxConcurrent: 0, trashDays: 0, gone: false },
    ...{ forcePathStyle: true, sendCredentialsToTikv: true },
  },
  Cluster: { pool: 'default', purpose: 'production', restore: { strictLoss: false } },
  FleetStrategy: {},
  Strategy: {},
};
/** Their fields that a file leaves out stay as they are; those of the others are emptied. */
const KEEPS: readonly Kind[] = ['FleetStrategy', 'Strategy'];

/**
 * What is different.
 *
 * @param is as a body of the API; undefined where it is not there
 */
export function changesOf({ kind, id }: Named, is: Fields | undefined, wanted: Fields): Change[] {
  if (!is) return Object.entries(wanted).flatMap(([field, to]) => (isEmpty(to) ? [] : [{ field, to }]));
  const names = KEEPS.includes(kind) ? Object.keys(wanted) : [...new Set([...Object.keys(is), ...Object.keys(wanted)])];
  return names.flatMap((field) => {
    // A cluster without a name is called by its id.
    const fallback = kind === 'Cluster' && field === 'name' ? id : DEFAULTS[kind][field];
    const from = normal(field, is[field] ?? fallback);
    const to = normal(field, wanted[field] ?? fallback);
    return text(from) === text(to)
      ? []
      : [{ field, ...(from !== undefined && { from }), ...(to !== undefined && { to }) }];
  });
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.values(value).every(isEmpty));

/** A value without what is empty in it, so that two ways of leaving something out are one. */
function normal(field: string, value: unknown): unknown {
  if (field === 'backupDate' && typeof value === 'string') return daysOf(value);
  return pruned(value);
}

function pruned(value: unknown): unknown {
  if (isEmpty(value)) return undefined;
  if (Array.isArray(value)) return value.map(pruned);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).flatMap(([name, one]) => {
    // 0 and false are what an option is that was left out.
    const short = pruned(one);
    return short === undefined || short === 0 || short === false ? [] : [[name, short] as const];
  });
  return kept.length === 0 ? undefined : Object.fromEntries(kept.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Weekdays as the API writes them: it forgives blanks, case and repeats. */
function daysOf(text: string): string | undefined {
  const days = text.split(',').map((day) => day.trim().toLowerCase());
  const named = [...new Set(days.filter(Boolean))].map((day) => day.charAt(0).toUpperCase() + day.slice(1));
  return named.length === 0 ? undefined : named.join(',');
}

const text = (value: unknown): string => JSON.stringify(value) ?? '';
