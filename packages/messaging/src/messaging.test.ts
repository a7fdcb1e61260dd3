import { randomUUID } from 'node:crypto';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { CommandKind, RunCommand } from '@tidemark/protocol/queue/v1/commands';
import amqp from 'amqplib';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { startCancelListener } from './cancel-listener.ts';
import { type BrokerConnection, connectBroker } from './connection.ts';
import { type ConsumerOptions, startConsumer } from './consumer.ts';
import { startPublisher } from './publisher.ts';
import { deleteNamespace } from './topology.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const command = (id: string): RunCommand => ({ kind: CommandKind.COMMAND_KIND_BACKUP, id });
const ring = { expirationMs: 60_000, requestId: 'r-1' };

describe('messaging', () => {
  let namespace: string;
  const connections: BrokerConnection[] = [];

  const connect = async (url = inject('amqpUrl')) => {
    const connection = await connectBroker({ url, connectionName: 'test', log: quiet });
    connections.push(connection);
    await vi.waitFor(() => expect(connection.ready).toBe(true), { timeout: 10_000 });
    return connection;
  };
  const consume = (connection: BrokerConnection, options: Partial<ConsumerOptions>) =>
    startConsumer(connection, {
      namespace,
      pool: 'default',
      slots: 1,
      log: quiet,
      onUnreadable() {},
      claim: async () => undefined,
      ...options,
    });

  beforeEach(() => {
    namespace = `test-${randomUUID()}`;
  });
  afterEach(async () => {
    await Promise.all(connections.splice(0).map((connection) => connection[Symbol.asyncDispose]()));
    await deleteNamespace(inject('amqpUrl'), namespace, ['default']);
  });

  it('delivers a command with its request id, although nobody consumed when it was published', async () => {
    const publisher = startPublisher(await connect(), { namespace, log: quiet });
    await vi.waitFor(() => publisher.publishRun('default', command('b1'), ring));
    const got: string[] = [];
    consume(await connect(), { claim: async ({ id }, { requestId }) => void got.push(`${id} ${requestId}`) });
    await vi.waitFor(() => expect(got).toEqual(['b1 r-1']));
  });

  it('never runs more at once than there are slots, and runs everything once', async () => {
    const publisher = startPublisher(await connect(), { namespace, log: quiet });
    const ran = new Map<string, number>();
    let most = 0;
    for (let worker = 0; worker < 3; worker += 1) {
      let running = 0;
      consume(await connect(), {
        slots: 2,
        claim:
          async ({ id }) =>
          async () => {
            running += 1;
            most = Math.max(most, running);
            ran.set(id, (ran.get(id) ?? 0) + 1);
            await new Promise((resolve) => setTimeout(resolve, 3));
            running -= 1;
          },
      });
    }
    await vi.waitFor(() => publisher.publishRun('default', command('b0'), ring));
    await Promise.all(
      Array.from({ length: 60 }, (_, index) => publisher.publishRun('default', command(`b${index + 1}`), ring)),
    );
    await vi.waitFor(() => expect(ran.size).toBe(61), { timeout: 20_000 });
    expect([...ran.values()].every((times) => times === 1)).toBe(true);
    expect(most).toBeLessThanOrEqual(2);
  });

  it('acknowledges what it cannot read, counts it and goes on (T8)', async () => {
    const publisher = startPublisher(await connect(), { namespace, log: quiet });
    await vi.waitFor(() => publisher.publishRun('default', command('first'), ring));
    const admin = await amqp.connect(inject('amqpUrl'));
    const channel = await admin.createConfirmChannel();
    channel.sendToQueue(`${namespace}.run.default`, Buffer.from('this is no protobuf \xff'));
    channel.sendToQueue(`${namespace}.run.default`, Buffer.alloc(0));
    const long = RunCommand.encode(command('x'.repeat(65_536))).finish();
    channel.sendToQueue(`${namespace}.run.default`, Buffer.from(long));
    await channel.waitForConfirms();
    await publisher.publishRun('default', command('last'), ring);
    const got: string[] = [];
    const unreadable = vi.fn();
    consume(await connect(), { claim: async ({ id }) => void got.push(id), onUnreadable: unreadable });
    await vi.waitFor(() => expect(got).toEqual(['first', 'last']));
    expect(unreadable).toHaveBeenCalledTimes(3);
    await vi.waitFor(async () => expect((await channel.checkQueue(`${namespace}.run.default`)).messageCount).toBe(0));
    await admin.close();
  });

  it('goes on after a claim that threw', async () => {
    const publisher = startPublisher(await connect(), { namespace, log: quiet });
    const got: string[] = [];
    consume(await connect(), {
      async claim({ id }) {
        got.push(id);
        if (id === 'bad') throw new Error('no');
        return undefined;
      },
    });
    await vi.waitFor(() => publisher.publishRun('default', command('bad'), ring));
    await publisher.publishRun('default', command('good'), ring);
    await vi.waitFor(() => expect(got).toEqual(['bad', 'good']));
  });

  it('acknowledges a message only once its claim is decided: until then it is delivered again when the worker dies (T7)', async () => {
    const { hostname, port } = new URL(inject('amqpUrl'));
    await using proxy = await startProxy(hostname, Number(port));
    const url = new URL(inject('amqpUrl'));
    url.port = String(proxy.port);
    const publisher = startPublisher(await connect(), { namespace, log: quiet });
    const undecided = Promise.withResolvers<undefined>();
    const got: string[] = [];
    const dying = await connect(url.href);
    consume(dying, {
      claim({ id }) {
        got.push(`dying ${id}`);
        return undecided.promise;
      },
    });
    await vi.waitFor(() => publisher.publishRun('default', command('b1'), ring));
    await vi.waitFor(() => expect(got).toEqual(['dying b1']));
    consume(await connect(), { claim: async ({ id }) => void got.push(`next ${id}`) });
    proxy.cut();
    await vi.waitFor(() => expect(got).toContain('next b1'), { timeout: 15_000 });
    undecided.resolve(undefined);
  });

  it('calls a message published only when the broker has it in a queue (P1)', async () => {
    const publisher = startPublisher(await connect(), { namespace, log: quiet });
    await vi.waitFor(() => publisher.publishRun('default', command('b1'), ring));
    await deleteNamespace(inject('amqpUrl'), namespace, ['default']);
    await expect(publisher.publishRun('default', command('b2'), ring)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('tells every listener of a cancel, and does not mind when there is none', async () => {
    const publisher = startPublisher(await connect(), { namespace, log: quiet });
    const cancel = { kind: CommandKind.COMMAND_KIND_BACKUP, id: 'b1' };
    await vi.waitFor(() => publisher.publishCancel(cancel, { requestId: 'r' }));
    const got: string[] = [];
    for (const worker of ['w1', 'w2']) {
      const connection = await connect();
      startCancelListener(connection, {
        namespace,
        log: quiet,
        onCancel: ({ id }) => void got.push(`${worker} ${id}`),
      });
    }
    await vi.waitFor(async () => {
      await publisher.publishCancel(cancel, { requestId: 'r' });
      expect(new Set(got)).toEqual(new Set(['w1 b1', 'w2 b1']));
    });
  });

  it('stops taking commands when told to, and lets its runs go on', async () => {
    const publisher = startPublisher(await connect(), { namespace, log: quiet });
    const end = Promise.withResolvers<void>();
    const got: string[] = [];
    const consumer = consume(await connect(), {
      slots: 5,
      async claim({ id }) {
        got.push(id);
        return () => end.promise;
      },
    });
    await vi.waitFor(() => publisher.publishRun('default', command('b1'), ring));
    await vi.waitFor(() => expect(consumer.busy).toBe(1));
    await consumer.stop();
    await publisher.publishRun('default', command('b2'), ring);
    expect(consumer.busy).toBe(1);
    end.resolve();
    await vi.waitFor(() => expect(consumer.busy).toBe(0));
    expect(got).toEqual(['b1']);
  });

  it('comes back by itself after its connection was cut, consumer and all', async () => {
    const { hostname, port } = new URL(inject('amqpUrl'));
    await using proxy = await startProxy(hostname, Number(port));
    const url = new URL(inject('amqpUrl'));
    url.port = String(proxy.port);
    const publisher = startPublisher(await connect(), { namespace, log: quiet });
    const got: string[] = [];
    const cut = await connect(url.href);
    consume(cut, { claim: async ({ id }) => void got.push(id) });
    await vi.waitFor(() => publisher.publishRun('default', command('before'), ring));
    await vi.waitFor(() => expect(got).toContain('before'));
    proxy.cut();
    await vi.waitFor(() => expect(cut.ready).toBe(false));
    await publisher.publishRun('default', command('meanwhile'), ring);
    // What was not acknowledged before the cut is delivered again.
    await vi.waitFor(() => expect([...new Set(got)]).toEqual(['before', 'meanwhile']));
    await vi.waitFor(() => expect(cut.ready).toBe(true));
  });

  it('refuses to publish, at once and with a reason, while the broker cannot be reached', async () => {
    const connection = await connectBroker({ url: 'amqp://127.0.0.1:1', connectionName: 'test', log: quiet });
    connections.push(connection);
    const publisher = startPublisher(connection, { namespace, log: quiet });
    await expect(publisher.publishRun('default', command('b1'), ring)).rejects.toMatchObject({ code: 'unavailable' });
    expect(() => connection.check()).toThrow(/RabbitMQ/);
  });
});

/** A TCP proxy whose connections can be cut. */
async function startProxy(host: string, port: number): Promise<AsyncDisposable & { port: number; cut(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = dial(port, host);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
