import amqp, { type Channel } from 'amqplib';

/** Names of everything Tidemark has on a broker; a namespace of its own keeps stacks and tests apart. */
export interface Topology {
  /** Where the run commands of a worker pool wait. */
  runQueue(pool: string): string;
  /** Where cancels are broadcast. */
  readonly cancelExchange: string;
}

/** The names within a namespace, `tidemark` by default. */
export function topology(namespace: string): Topology {
  return { runQueue: (pool) => `${namespace}.run.${pool}`, cancelExchange: `${namespace}.cancel` };
}

/**
 * Declares a pool's queue. Its arguments never change: declaring it with others is refused by the broker (406), so
 * whatever may be tuned belongs into a message or a policy.
 */
export async function assertRunQueue(channel: Channel, { runQueue }: Topology, pool: string): Promise<void> {
  await channel.assertQueue(runQueue(pool), { durable: true, arguments: { 'x-queue-type': 'quorum' } });
}

/** Declares the exchange of cancels. */
export async function assertCancelExchange(channel: Channel, { cancelExchange }: Topology): Promise<void> {
  await channel.assertExchange(cancelExchange, 'topic', { durable: true });
}

/** Removes a namespace from the broker, messages and all: for a stack that is taken down for good. */
export async function deleteNamespace(url: string, namespace: string, pools: readonly string[]): Promise<void> {
  const { runQueue, cancelExchange } = topology(namespace);
  const connection = await amqp.connect(url, { noDelay: true });
  try {
    const channel = await connection.createChannel();
    for (const pool of pools) await channel.deleteQueue(runQueue(pool));
    await channel.deleteExchange(cancelExchange);
  } finally {
    await connection.close();
  }
}
