/**
 * Publishes commands and resolves when the broker has them in a queue.
 *
 * P1. A publish resolves only on the broker's confirm, and rejects on a nack, on no route, when the connection dies and
 *     after 10 s: an unknown outcome is a failure here, because publishing twice is harmless and losing is not.
 * P2. A bounded number of publishes is under way; more wait for their turn.
 */
import { AppError } from '@tidemark/errors/app-error';
import { MAX_PUBLISHES } from '@tidemark/limits/limits';
import { CancelCommand, RunCommand } from '@tidemark/protocol/queue/v1/commands';
import type { TraceHeaders } from '@tidemark/tracing/trace';
import type { ConfirmChannel, Options } from 'amqplib';
import type { BrokerConnection, MessagingLog } from './connection.ts';
import { assertCancelExchange, assertRunQueue, topology } from './topology.ts';

export interface Publisher {
  /**
   * Rings for a task.
   *
   * @param options.expirationMs after which the message may go: by then the document rings again
   * @throws AppError `unavailable`
   */
  publishRun(
    pool: string,
    command: RunCommand,
    options: { readonly expirationMs: number; readonly requestId: string; readonly trace?: TraceHeaders },
  ): Promise<void>;
  /** Announces a cancel to every worker; that nobody listens is fine. @throws AppError `unavailable` */
  publishCancel(command: CancelCommand, options: { readonly requestId: string }): Promise<void>;
}

export interface PublisherOptions {
  readonly namespace: string;
  readonly log: MessagingLog;
}

const CONFIRM_TIMEOUT_MS = 10_000;
export const CONTENT_TYPE = 'application/x-protobuf';

/** Starts a publisher on a connection. */
export function startPublisher(connection: BrokerConnection, { namespace, log }: PublisherOptions): Publisher {
  const names = topology(namespace);
  const declared = new Map<string, Promise<void>>();
  const returned = new Set<string>();
  const waiting: (() => void)[] = [];
  let channel: ConfirmChannel | undefined;
  let underWay = 0;
  let nextId = 0;

  connection.attach({
    async setup(open) {
      const fresh = await open.confirmChannel('publisher');
      fresh.on('return', ({ properties }) => returned.add(String(properties.messageId)));
      await assertCancelExchange(fresh, names);
      declared.clear();
      channel = fresh;
    },
    lost() {
      channel = undefined;
      declared.clear();
    },
  });

  const usable = (): ConfirmChannel => {
    connection.check();
    if (channel === undefined) throw new AppError('unavailable', 'RabbitMQ is being set up.', { retryAfterMs: 1_000 });
    return channel;
  };

  const declare = (pool: string): Promise<void> => {
    const known = declared.get(pool);
    if (known) return known;
    const declaring = assertRunQueue(usable(), names, pool);
    declared.set(pool, declaring);
    declaring.catch(() => declared.delete(pool));
    return declaring;
  };

  const publish = async (exchange: string, key: string, body: Uint8Array, options: Options.Publish): Promise<void> => {
    if (underWay >= MAX_PUBLISHES) await new Promise<void>((resolve) => waiting.push(resolve));
    underWay += 1;
    nextId += 1;
    const messageId = String(nextId);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('no confirm within 10 s')), CONFIRM_TIMEOUT_MS);
    try {
      const content = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
      const properties = { persistent: true, contentType: CONTENT_TYPE, messageId, ...options };
      usable().publish(exchange, key, content, properties, (error: unknown) => (error ? reject(error) : resolve()));
      await promise;
      if (options.mandatory && returned.has(messageId)) throw new Error(`no queue takes ${exchange}/${key}`);
    } catch (error) {
      if (error instanceof AppError) throw error;
      log.debug({ error, exchange, key }, 'a message could not be published');
      throw new AppError('unavailable', 'RabbitMQ did not take a message.', { cause: error, retryAfterMs: 1_000 });
    } finally {
      clearTimeout(timer);
      returned.delete(messageId);
      underWay -= 1;
      waiting.shift()?.();
    }
  };

  return {
    async publishRun(pool, command, { expirationMs, requestId, trace = {} }) {
      try {
        await declare(pool);
      } catch (error) {
        if (error instanceof AppError) throw error;
        throw new AppError('unavailable', 'RabbitMQ did not take a message.', { cause: error, retryAfterMs: 1_000 });
      }
      await publish('', names.runQueue(pool), RunCommand.encode(command).finish(), {
        mandatory: true,
        expiration: String(Math.ceil(expirationMs)),
        correlationId: requestId,
        headers: trace,
      });
    },
    async publishCancel(command, { requestId }) {
      await publish(names.cancelExchange, command.id, CancelCommand.encode(command).finish(), {
        correlationId: requestId,
      });
    },
  };
}
