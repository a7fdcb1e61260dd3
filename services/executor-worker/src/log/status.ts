/** Reads what `br log status` and `br log metadata` print (br-contract 11): pure. A TSO is a bigint: it is larger than what a number holds. */
import { MAX_LOG_ERRORS, MAX_LOG_TASKS, MAX_WORKER_SENTENCE } from '@tidemark/limits/limits';
import { readLogLine } from '../br/output.ts';

export type TaskState = 'normal' | 'paused' | 'error';

export interface TaskError {
  readonly store: string;
  readonly code: string;
  readonly message: string;
}

/** A task as the JSON form shows it. */
export interface TaskStatus {
  readonly name: string;
  readonly storage: string;
  readonly startTs: bigint;
  readonly checkpoint: bigint;
  readonly errors: readonly TaskError[];
  /** Absent up to 8.5.0: then only the text form says it. */
  readonly state?: TaskState;
  /** Somebody paused it by hand (8.5.5 and later). */
  readonly pausedByHand: boolean;
}

/** From and to when a log reaches. */
export interface LogRange {
  readonly min: bigint;
  readonly max: bigint;
}

const STATES: Readonly<Record<string, TaskState>> = { NORMAL: 'normal', PAUSE: 'paused', ERROR: 'error' };
const MANUAL = 'MANUAL';
/** 64 bits hold any 19 digits. */
const TSO = /^\d{1,19}$/;

/** JSON.parse as it is since ES2026; TypeScript's library does not know the third argument yet. */
const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/**
 * The tasks of a cluster, from the line of JSON among what was printed.
 *
 * @throws Error where there is no such line, or it is not what is known of it
 */
export function readStatus(stdout: string): TaskStatus[] {
  const line = stdout.split('\n').findLast((one) => one.startsWith('[{') || one.trim() === '[]');
  if (line === undefined) throw new Error('br log status printed no list of tasks');
  // Numbers stay the digits that were printed.
  const tasks = parseWithSource(line, (_, value, { source }) => (typeof value === 'number' ? source : value));
  if (!Array.isArray(tasks)) throw new Error('br log status printed no list of tasks');
  return tasks.slice(0, MAX_LOG_TASKS).map(readTask);
}

function readTask(task: Record<string, unknown>): TaskStatus {
  const { name, storage, start_ts, checkpoint, last_errors, status, extra_pause_information } = task;
  const state = STATES[text(status)];
  const severity = text((extra_pause_information as { severity?: unknown } | undefined)?.severity);
  return {
    name: text(name),
    storage: text(storage),
    startTs: tso(start_ts),
    checkpoint: tso(checkpoint),
    errors: (Array.isArray(last_errors) ? last_errors : []).slice(0, MAX_LOG_ERRORS).map(readError),
    ...(state && { state }),
    pausedByHand: severity === MANUAL,
  };
}

function readError({ store_id, last_error }: Record<string, unknown>): TaskError {
  const { error_code, error_message } = (last_error ?? {}) as Record<string, unknown>;
  return { store: text(store_id), code: sentence(error_code), message: sentence(error_message) };
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');
/** What TiKV says of an error may be of any length. */
const sentence = (value: unknown) => text(value).slice(0, MAX_WORKER_SENTENCE).toWellFormed();

function tso(value: unknown): bigint {
  if (typeof value !== 'string' || !TSO.test(value)) throw new Error('br log status printed a task without its times');
  return BigInt(value);
}

/** The state of each task by its name, from the text form. */
export function readStates(stdout: string): ReadonlyMap<string, TaskState> {
  const states = new Map<string, TaskState>();
  let name = '';
  for (const line of stdout.split('\n')) {
    const [, field = '', value = ''] = /^\s*(name|status): (.*)$/.exec(line) ?? [];
    if (field === 'name') name = value.trim();
    const state = field === 'status' ? STATES[/([A-Z]+)/.exec(value)?.[1] ?? ''] : undefined;
    if (state) states.set(name, state);
  }
  return states;
}

/** @throws Error where the times were not printed */
export function readRange(stdout: string): LogRange {
  for (const line of stdout.split('\n')) {
    const read = readLogLine(line);
    const [min, max] = [read?.fields.get('log-min-ts'), read?.fields.get('log-max-ts')];
    if (min !== undefined && max !== undefined && TSO.test(min) && TSO.test(max))
      return { min: BigInt(min), max: BigInt(max) };
  }
  throw new Error('br log metadata printed no times');
}
