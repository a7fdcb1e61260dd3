import type { Dialect } from './dialect.ts';
import { printLine } from './log.ts';
import type { LogTask } from './log-state.ts';
import { dateOf } from './log-task.ts';
import { tsoMillis } from './tso.ts';

const END_TS = '999999999999999999';

/** What `br log status` prints of the task of a cluster, which may be none. */
export function printStatus(
  task: LogTask | null,
  { isJson, dialect }: { readonly isJson: boolean; readonly dialect: Dialect },
): void {
  if (isJson) printLine(task ? `[${taskJson(task, dialect)}]` : '[]');
  else if (!task) printLine('○ No Task Yet.');
  else printLine(taskText(task));
}

/** Its times are numbers that JSON.stringify cannot write. */
function taskJson(task: LogTask, { logStatusTellsState }: Dialect): string {
  const errors = task.errors.map(({ store, code, message }) => ({
    store_id: store,
    last_error: { happen_at: 0, error_code: code, error_message: message, store_id: store },
  }));
  const paused = task.severity === '' ? {} : { extra_pause_information: { severity: task.severity } };
  const later = logStatusTellsState ? `,${JSON.stringify({ status: task.state, ...paused }).slice(1, -1)}` : '';
  const { name, startTs, checkpoint, printed } = task;
  return `{"name":${JSON.stringify(name)},"start_ts":${startTs},"end_ts":${END_TS},"table_filter":["*.*"],"progress":[],"storage":${JSON.stringify(printed)},"checkpoint":${checkpoint},"estimate_qps":0,"last_errors":${JSON.stringify(errors)}${later}}`;
}

function taskText({ name, state, startTs, printed, checkpoint, errors }: LogTask): string {
  const gap = Math.round((Date.now() - tsoMillis(BigInt(checkpoint))) / 1_000);
  return [
    '● Total 1 Tasks.',
    '> #1 <',
    `              name: ${name}`,
    `            status: ● ${state}`,
    `             start: ${dateOf(BigInt(startTs))}`,
    `               end: ${dateOf(BigInt(END_TS))}`,
    `           storage: ${printed}`,
    '       speed(est.): 0.00 ops/s',
    `checkpoint[global]: ${dateOf(BigInt(checkpoint))}; gap=${gap}s`,
    ...errors.map(({ store, code, message }) => `error[store=${store}]: ${code}; ${message}`),
  ].join('\n');
}
