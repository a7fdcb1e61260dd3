/**
 * One look at a cluster: what lies in the storage, then what its tasks are.
 *
 * K1. The metadata, of which cluster the log is and what cuts it, are read before the status, so that what they say belongs to the task that the status shows (L4).
 * K2. The text form is asked before the JSON: only that says up to 8.5.0 whether a task is paused.
 * K3. What takes too long, or says nothing that is known, is "unreachable"; nothing is concluded from it.
 */
import type { Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { ShortRun } from '../br/short-run.ts';
import { type LogPlace, metadataArguments, statusArguments } from './command.ts';
import { type LogRange, readRange, readStates, readStatus, type TaskState, type TaskStatus } from './status.ts';

export interface SeenTask extends TaskStatus {
  readonly state: TaskState;
}

export type Sight =
  | { readonly kind: 'unreachable'; readonly reason: Reason }
  | { readonly kind: 'tasks'; readonly tasks: readonly SeenTask[]; readonly range: SeenRange | undefined };

export interface SeenRange extends LogRange {
  /** The id that TiDB gave the cluster that writes the log; undefined where it could not be read. */
  readonly tidbClusterId: bigint | undefined;
  /** What cannot be replayed across; undefined where it could not be read. */
  readonly cuts: readonly LogCut[] | undefined;
}

/** No backup before its end serves a point behind its beginning. */
export interface LogCut {
  readonly from: bigint;
  readonly to: bigint;
}

/** Reads of which cluster of TiDB the log in a place is. @throws Error where nothing there says it */
export type ReadClusterId = (place: LogPlace) => Promise<bigint>;

/** Reads what cuts the log in a place. @throws Error where that cannot be read */
export type ReadCuts = (place: LogPlace) => Promise<readonly LogCut[]>;

export interface Looking {
  readonly run: RunShortly;
  readonly clusterIdIn: ReadClusterId;
  readonly cutsIn: ReadCuts;
}

/**
 * Runs `br` with these arguments.
 *
 * @param place that it reads or writes: `br` gets the credentials of its storage
 * @throws Error where it is no place for `br`, or its credentials cannot be read
 */
export type RunShortly = (args: readonly string[], place?: LogPlace) => Promise<ShortRun>;

/**
 * @param place of the log that is written, where its metadata are to be read
 * @param onTrouble is told what is not known because of it, while the look goes on
 */
export async function look(
  target: Target,
  place: LogPlace | undefined,
  by: Looking,
  onTrouble: (message: string, error: unknown) => void,
): Promise<Sight> {
  const { run } = by;
  const range = place && (await rangeOf(place, by, onTrouble));
  const texts = await run(statusArguments(target, 'text'));
  if (texts.code !== 0) return unreachable(texts);
  const json = await run(statusArguments(target, 'json'));
  if (json.code !== 0) return unreachable(json);
  try {
    const states = readStates(texts.stdout);
    const tasks = readStatus(json.stdout).map((task) => {
      const state = task.state ?? states.get(task.name);
      // It came between the two, which the next look shows; or it is in a state that nobody knows.
      if (!state) throw new Error('br log status says of a task neither that it runs nor that it is paused');
      return { ...task, state };
    });
    return { kind: 'tasks', tasks, range };
  } catch (error) {
    const { message } = error as Error;
    return { kind: 'unreachable', reason: { code: 'STATUS_UNREADABLE', message: `${message}.`, detail: '' } };
  }
}

async function rangeOf(
  place: LogPlace,
  { run, clusterIdIn, cutsIn }: Looking,
  onTrouble: (message: string, error: unknown) => void,
): Promise<SeenRange | undefined> {
  try {
    const read = await run(metadataArguments(place), place);
    if (read.code !== 0) throw new Error(read.trouble ?? firstError(read));
    const range = readRange(read.stdout);
    const [tidbClusterId, cuts] = await Promise.all([
      clusterIdIn(place).catch(unknown('of which cluster a log is could not be read')),
      cutsIn(place).catch(unknown('what cuts a log could not be read')),
    ]);
    return { ...range, tidbClusterId, cuts };
  } catch (error) {
    onTrouble('the metadata of a log could not be read', error);
    return undefined;
  }

  function unknown(message: string): (error: unknown) => undefined {
    return (error) => void onTrouble(message, error);
  }
}

function firstError({ stderr }: ShortRun): string {
  return stderr.split('\n').find((line) => line.startsWith('Error: ')) ?? 'br failed';
}

function unreachable(run: ShortRun): Sight {
  const detail = run.stderr.trim().slice(-1_000);
  const message = run.trouble ?? 'The cluster does not say how its log backup is: br log status failed.';
  return { kind: 'unreachable', reason: { code: 'CLUSTER_UNREACHABLE', message, detail } };
}
