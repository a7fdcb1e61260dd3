/**
 * One connection to RabbitMQ that heals itself.
 *
 * M1. Whatever dies (socket, channel, a consumer cancelled by the server) ends the whole connection: there is one way
 *     back, through `setup` of everything that was attached (stack-findings 1.9 and traps 2 to 5).
 * M2. Nothing waits for the broker at start; `ready` says whether it can be used now.
 * M3. The last step of a setup is a round trip to the broker, so that a connection that died meanwhile is never used.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '@tidemark/errors/app-error';
import amqp, { type Channel, type ChannelModel, type ConfirmChannel, type RecoveringChannelModel } from 'amqplib';

/** What this package logs to; service-kit's `Logger` is one. */
export interface MessagingLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What lives on a connection: set up again after each reconnect. */
export interface Attachment {
  setup(open: OpenConnection): Promise<void>;
  /** The connection is gone; what `setup` made is dead. */
  lost(): void;
}

/** A connection while it lasts. */
export interface OpenConnection {
  /** A channel whose unexpected end restarts the connection (M1). */
  channel(name: string): Promise<Channel>;
  confirmChannel(name: string): Promise<ConfirmChannel>;
  /** Gives this connection up so that it is made anew. */
  restart(why: string): void;
}

export interface BrokerConnection extends AsyncDisposable {
  /** Connected, set up and not blocked by the broker. */
  readonly ready: boolean;
  /** Adds something to the connection; it is set up as soon as there is one. */
  attach(attachment: Attachment): void;
  /** @throws AppError `unavailable` with the reason while the broker cannot be used */
  check(): void;
}

export interface BrokerOptions {
  /** May carry a password; never logged. */
  readonly url: string;
  /** How this process is named on the broker. */
  readonly connectionName: string;
  readonly log: MessagingLog;
}

const HEARTBEAT_SECONDS = 10;
const CONNECT_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2_000;
const OLDEST = [3, 10] as const;

/** Starts connecting and returns at once (M2). */
export async function connectBroker({ url, connectionName, log }: BrokerOptions): Promise<BrokerConnection> {
  const attachments = new Set<Attachment>();
  let model: ChannelModel | undefined;
  let blocked: string | undefined;
  let trouble = 'RabbitMQ has not been reached yet';
  let stopping = false;

  const lost = (why: string) => {
    trouble = why;
    if (model === undefined) return;
    model = undefined;
    blocked = undefined;
    for (const attachment of attachments) attachment.lost();
  };

  const open = (current: ChannelModel): OpenConnection => {
    const restart = (why: string) => {
      if (stopping) return;
      log.warn({ why }, 'the connection to RabbitMQ is made anew');
      current.close().catch(ignoreClosed);
    };
    const guard = <C extends Channel>(channel: C, name: string): C => {
      channel.on('error', (error: unknown) => log.warn({ error, channel: name }, 'RabbitMQ closed a channel'));
      channel.on('close', () => restart(`channel ${name} was closed`));
      return channel;
    };
    return {
      channel: async (name) => guard(await current.createChannel(), name),
      confirmChannel: async (name) => guard(await current.createConfirmChannel(), name),
      restart,
    };
  };

  const setup = async (current: ChannelModel): Promise<void> => {
    current.on('error', (error: unknown) => log.debug({ error }, 'RabbitMQ connection error'));
    current.on('blocked', (reason: string) => {
      blocked = reason;
      log.warn({ reason }, 'RabbitMQ blocks publishers: it is short of memory or disk');
    });
    current.on('unblocked', () => {
      blocked = undefined;
      log.info({}, 'RabbitMQ takes messages again');
    });
    refuseOldBroker(current);
    const connection = open(current);
    for (const attachment of attachments) await attachment.setup(connection);
    const probe = await connection.channel('probe');
    await probe.checkExchange('amq.direct');
    model = current;
  };

  const recovering: RecoveringChannelModel = await amqp.connect(withHeartbeat(url), {
    noDelay: true,
    timeout: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveDelay: 10_000,
    clientProperties: { connection_name: connectionName },
    recovery: {
      waitForConnect: false,
      initialDelay: 200,
      maxDelay: 2_000,
      setup: (current: ChannelModel) => setup(current),
    },
  });
  const reason = (event: unknown): unknown => (event as { error?: unknown } | undefined)?.error ?? event;
  recovering.on('error', (error: unknown) => log.debug({ error }, 'RabbitMQ connection error'));
  recovering.on('connect', () => log.info({}, 'connected to RabbitMQ'));
  recovering.on('disconnect', (event: unknown) => {
    lost('the connection to RabbitMQ was lost');
    if (!stopping) log.warn({ error: reason(event) }, 'the connection to RabbitMQ was lost');
  });
  recovering.on('connect-failed', (event: unknown) => {
    const error = reason(event);
    lost(`RabbitMQ cannot be reached: ${error instanceof Error ? error.message : 'unknown reason'}`);
    log.warn({ error }, 'RabbitMQ cannot be reached; trying again');
  });

  return {
    get ready() {
      return model !== undefined && blocked === undefined;
    },
    attach(attachment) {
      attachments.add(attachment);
      if (!model) return;
      const current = open(model);
      attachment.setup(current).catch((error: unknown) => {
        log.warn({ error }, 'a part could not be set up on RabbitMQ');
        current.restart('a part could not be set up');
      });
    },
    check() {
      if (model === undefined) throw unavailable(trouble);
      if (blocked !== undefined) throw unavailable(`RabbitMQ blocks publishers: ${blocked}`);
    },
    async [Symbol.asyncDispose]() {
      stopping = true;
      // While it is between two connections, amqplib's close waits for the next one, which may never come.
      await Promise.race([recovering.close().catch(ignoreClosed), sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
      lost('stopped');
    },
  };
}

function unavailable(message: string): AppError {
  return new AppError('unavailable', message, { retryAfterMs: 1_000 });
}

/** Closing what is closed already is what amqplib calls an error and what a shutdown calls done. */
function ignoreClosed(): void {
  return;
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return parsed.href;
}

function refuseOldBroker(model: ChannelModel): void {
  const { product, version } = model.connection.serverProperties as { product?: string; version?: string };
  if (product !== 'RabbitMQ' || !version) return;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  throw new Error(`this broker is RabbitMQ ${version}; Tidemark needs ${OLDEST.join('.')} or later`);
}
