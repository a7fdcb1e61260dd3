import { MAX_COMMAND_BYTES } from '@tidemark/limits/limits';
import { CancelCommand } from '@tidemark/protocol/queue/v1/commands';
import type { BrokerConnection, MessagingLog } from './connection.ts';
import { assertCancelExchange, topology } from './topology.ts';

export interface CancelListenerOptions {
  readonly namespace: string;
  readonly log: MessagingLog;
  /** Called for each cancel, also of backups that others run. The document is the truth: a renewal carries it too. */
  readonly onCancel: (command: CancelCommand) => void;
}

/** Listens for cancels on a queue of its own, which goes with the connection. */
export function startCancelListener(
  connection: BrokerConnection,
  { namespace, log, onCancel }: CancelListenerOptions,
): void {
  const names = topology(namespace);
  connection.attach({
    async setup(open) {
      const channel = await open.channel('cancels');
      await assertCancelExchange(channel, names);
      const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true, durable: false });
      await channel.bindQueue(queue, names.cancelExchange, '#');
      await channel.consume(
        queue,
        (message) => {
          if (message === null) return open.restart('the broker cancelled the listener for cancels');
          try {
            if (message.content.length > MAX_COMMAND_BYTES) throw new Error('it is too large');
            onCancel(CancelCommand.decode(message.content));
          } catch (error) {
            log.warn({ error }, 'a cancel could not be read');
          }
        },
        { noAck: true },
      );
    },
    lost() {
      // The queue went with the connection; the next setup makes another.
    },
  });
}
