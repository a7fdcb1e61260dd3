/** The floor of everything that goes from a message to a process: see `floors/bare-worker.ts`. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectBroker } from '@tidemark/messaging/connection';
import { type Publisher, startPublisher } from '@tidemark/messaging/publisher';
import { deleteNamespace } from '@tidemark/messaging/topology';
import { CommandKind } from '@tidemark/protocol/queue/v1/commands';
import type { BenchContext } from './benchmark.ts';
import type { BareWorkerSettings } from './floors/bare-worker.ts';
import { startFloor } from './floors/floor.ts';

export interface BareLoop extends AsyncDisposable {
  /** Publishes the message of a run, which gets a folder of this name; resolves on the broker's confirm. */
  run(id: string): Promise<void>;
  /** Tells whoever has the run to end it. */
  cancel(id: string): Promise<void>;
}

const RING_MS = 600_000;
const POLL_MS = 20;
const silent = () => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent };

/** Starts so many workers that do nothing but spawn. */
export async function startBareLoop(
  { amqpUrl }: Pick<BenchContext, 'amqpUrl'>,
  { program, storage, workers }: { readonly program: string; readonly storage: string; readonly workers: number },
): Promise<BareLoop> {
  await using stack = new AsyncDisposableStack();
  const namespace = `bench-loop-${Math.random().toString(36).slice(2, 10)}`;
  stack.defer(() => deleteNamespace(amqpUrl, namespace, ['default']));
  const broker = stack.use(await connectBroker({ url: amqpUrl, connectionName: 'bare-loop', log }));
  const publisher: Publisher = startPublisher(broker, { namespace, log });
  const settings: BareWorkerSettings = { amqpUrl, namespace, program, storage: join(storage, 'bare') };
  for (let worker = 0; worker < workers; worker += 1) stack.use(await startFloor('bare-worker.ts', settings));
  while (!broker.ready) await sleep(POLL_MS);
  const owned = stack.move();
  const kind = CommandKind.COMMAND_KIND_BACKUP;
  return {
    run: (id) => publisher.publishRun('default', { kind, id }, { expirationMs: RING_MS, requestId: id }),
    cancel: (id) => publisher.publishCancel({ kind, id }, { requestId: id }),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
