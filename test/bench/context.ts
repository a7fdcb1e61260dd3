import { startStack } from '@tidemark/local-stack/stack';
import { deleteNamespace } from '@tidemark/messaging/topology';
import type { MongoClient } from 'mongodb';
import type { BenchContext } from './benchmark.ts';

/** What all benchmarks of a run share. */
export type Run = Pick<BenchContext, 'quick' | 'signal' | 'mongodbUrl' | 'amqpUrl' | 'mongodbIsPrivate' | 'say'> & {
  readonly client: MongoClient;
};

/** A context for one benchmark; disposing it takes down all that was opened through it, the last first. */
export function openContext({ client, ...run }: Run): BenchContext & AsyncDisposable {
  const resources = new AsyncDisposableStack();
  return {
    ...run,
    use: (resource) => resources.use(resource),
    database() {
      const name = `bench-${Math.random().toString(36).slice(2, 10)}`;
      if (!run.mongodbIsPrivate) resources.defer(async () => void (await client.db(name).dropDatabase()));
      return client.db(name);
    },
    async processes({ databaseName: name }, options) {
      const { amqpUrl, mongodbUrl, signal } = run;
      const names = { TIDEMARK_AMQP_NAMESPACE: name, TIDEMARK_MONGODB_DATABASE: name };
      resources.defer(() => deleteNamespace(amqpUrl, name, ['default']));
      return resources.use(
        await startStack({
          restart: false,
          ...{ amqpUrl, mongodbUrl, signal },
          ...options,
          env: { ...options.env, all: { ...names, ...options.env?.all } },
        }),
      );
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
