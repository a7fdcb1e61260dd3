import type { Channel } from 'amqplib';

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
