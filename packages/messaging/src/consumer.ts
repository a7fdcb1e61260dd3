/**
 * Takes run commands as long as this worker has a free slot.
 *
 * S1. Prefetch is 1, and consuming is cancelled before the message that fills the last slot is acknowledged: the broker
 *     has no moment to deliver one too many (stack-findings 1.3). The same goes for the last run that is taken at all.
 * S2. A message is acknowledged as soon as its claim is decided, never held while the work runs (T7).
 * S3. A message that cannot be read is counted, logged and acknowledged (T8); so is one whose claim threw: the document
 *     rings again. No callback throws into amqplib.
 */
import { MAX_COMMAND_BYTES } from '@tidemark/limits/limits';
import { CommandKind, RunCommand } from '@tidemark/protocol/queue/v1/commands';
import { headersFrom, type TraceHeaders } from '@tidemark/tracing/trace';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { BrokerConnection, MessagingLog, OpenConnection } from './connection.ts';
import { assertRunQueue, topology } from './topology.ts';

/** Work that was claimed and is to be done now; it must not throw. */
/** What a queue brings; the rest is only announced. */
const QUEUED: ReadonlySet<CommandKind> = new Set([
  CommandKind.COMMAND_KIND_BACKUP,
  CommandKind.COMMAND_KIND_CHECK,
  CommandKind.COMMAND_KIND_RESTORE,
  CommandKind.COMMAND_KIND_LOG,
  CommandKind.COMMAND_KIND_LOG_TRUNCATION,
]);

export type Run = () => Promise<void>;

/** How a command came. */
export interface Delivery {
  readonly requestId: string;
  readonly trace: TraceHeaders;
}

export interface ConsumerOptions {
  readonly namespace: string;
  readonly pool: string;
  /** How many runs at once. */
  readonly slots: number;
  /** How many runs in all; without it, as many as come. */
  readonly mostRuns?: number | undefined;
  readonly log: MessagingLog;
  /** Claims the task that a command rings for; undefined when there is nothing to do. */
  readonly claim: (command: RunCommand, delivery: Delivery) => Promise<Run | undefined>;
  /** Counts a message that could not be read. */
  readonly onUnreadable: () => void;
}

export interface Consumer {
  readonly busy: number;
  readonly ready: boolean;
  /** Whether it took as many runs as it may. */
  readonly tookAll: boolean;
  /** Takes nothing more; resolves when no claim is under way. Runs go on. */
  stop(): Promise<void>;
}

/** Starts consuming on a connection. */
export function startConsumer(connection: BrokerConnection, options: ConsumerOptions): Consumer {
  const { namespace, pool, slots, mostRuns = Number.POSITIVE_INFINITY, log } = options;
  const names = topology(namespace);
  const claims = new Set<Promise<void>>();
  let current: { readonly channel: Channel; readonly open: OpenConnection; tag: string | undefined } | undefined;
  let busy = 0;
  let taken = 0;
  let stopped = false;
  let changing: Promise<void> = Promise.resolve();

  const wantsMore = () => !stopped && busy < slots && taken < mostRuns;

  /** Brings consuming in line with the free slots; one change after the other. */
  const adjust = (): Promise<void> => {
    changing = changing.then(async () => {
      const line = current;
      if (!line) return;
      const wanted = wantsMore();
      try {
        if (wanted && line.tag === undefined) line.tag = await consume(line.channel, line.open);
        else if (!wanted && line.tag !== undefined) {
          const { tag } = line;
          line.tag = undefined;
          await line.channel.cancel(tag);
        }
      } catch (error) {
        if (current === line) {
          log.warn({ error }, 'consuming could not be changed');
          line.open.restart('consuming could not be changed');
        }
      }
    });
    return changing;
  };

  const consume = async (channel: Channel, open: OpenConnection): Promise<string> => {
    const { consumerTag } = await channel.consume(names.runQueue(pool), (message) => {
      if (message === null) return open.restart('the broker cancelled the consumer');
      const claim = take(channel, message).finally(() => claims.delete(claim));
      claims.add(claim);
    });
    return consumerTag;
  };

  const take = async (channel: Channel, message: ConsumeMessage): Promise<void> => {
    const command = read(message);
    const requestId = String(message.properties.correlationId ?? '');
    if (!command) {
      options.onUnreadable();
      log.warn({ requestId, bytes: message.content.length }, 'a message could not be read and is dropped');
    }
    let run: Run | undefined;
    try {
      const trace = headersFrom((name) => message.properties.headers?.[name]);
      run = command && (await options.claim(command, { requestId, trace }));
    } catch (error) {
      log.error({ error, requestId }, 'a claim failed; its document rings again');
    }
    if (run) {
      busy += 1;
      taken += 1;
    }
    if (!wantsMore()) await adjust();
    try {
      channel.ack(message);
    } catch (error) {
      log.debug({ error }, 'the channel is gone: the broker delivers the message again, and its claim will be lost');
    }
    if (run) void execute(run);
  };

  const execute = async (run: Run): Promise<void> => {
    try {
      await run();
    } catch (error) {
      log.error({ error }, 'a run ended with a bug');
    } finally {
      busy -= 1;
      void adjust();
    }
  };

  connection.attach({
    async setup(open) {
      const channel = await open.channel('runs');
      await channel.prefetch(1);
      await assertRunQueue(channel, names, pool);
      const line = { channel, open, tag: undefined as string | undefined };
      // The setup waits for the consumer itself, so that `ready` is true only once messages can arrive.
      if (wantsMore()) line.tag = await consume(channel, open);
      current = line;
      void adjust();
    },
    lost() {
      current = undefined;
    },
  });

  return {
    get busy() {
      return busy;
    },
    get ready() {
      return connection.ready && current !== undefined;
    },
    get tookAll() {
      return taken >= mostRuns;
    },
    async stop() {
      stopped = true;
      await adjust();
      await Promise.all(claims);
    },
  };
}

function read({ content }: ConsumeMessage): RunCommand | undefined {
  if (content.length > MAX_COMMAND_BYTES) return undefined;
  try {
    const command = RunCommand.decode(content);
    const known = QUEUED.has(command.kind);
    return known && command.id !== '' ? command : undefined;
  } catch {
    return undefined; // counted and logged by the caller
  }
}
