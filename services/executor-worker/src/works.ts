import type { RunningTask } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';

/** What a worker is at. */
export interface Works {
  /** It goes on until it is disposed of. */
  began(work: Omit<RunningTask, 'seconds'>): Disposable;
  /** All of it, the oldest first. */
  now(): RunningTask[];
}

export function createWorks(): Works {
  const works = new Map<object, { readonly work: Omit<RunningTask, 'seconds'>; readonly since: number }>();
  return {
    began(work) {
      const key = {};
      works.set(key, { work, since: performance.now() });
      return { [Symbol.dispose]: () => void works.delete(key) };
    },
    now: () =>
      [...works.values()].map(({ work, since }) => ({ ...work, seconds: (performance.now() - since) / 1_000 })),
  };
}
