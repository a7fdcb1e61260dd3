/**
 * A floor in a process of its own, as the product's parts have: who measures must not share an event loop with what is
 * measured.
 *
 * 1. Settings come as a message: a connection URL may carry a password, which belongs into no argument.
 * 2. It ends with the channel to the process that started it, however that one ended.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface Floor extends AsyncDisposable {
  readonly pid: number;
  /** What the process said when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
}

/**
 * Starts a file of this folder; resolves with what it says when it is ready.
 *
 * @param signal kills it, for one that is not ready soon
 */
export async function startFloor(file: string, settings: object, signal?: AbortSignal): Promise<Floor> {
  const child = fork(join(import.meta.dirname, file), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    ...(signal && { signal, killSignal: 'SIGKILL' }),
  });
  const exited = once(child, 'exit');
  child.send(settings);
  const [ready] = (await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => {
      throw new Error(`The floor ${file} ended with ${code} before it was ready.`);
    }),
  ])) as [Floor['ready']];
  return {
    pid: child.pid ?? 0,
    ready,
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

/** Within the process of a floor: its settings. From then on it ends with its parent's channel. */
export async function floorSettings<T>(): Promise<T> {
  process.once('disconnect', () => process.exit());
  const [settings] = await once(process, 'message');
  return settings as T;
}

/** Within the process of a floor: says that it is ready. */
export function floorReady(told: Floor['ready']): void {
  process.send?.(told);
}
