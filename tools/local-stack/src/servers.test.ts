import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { findServers, urlFrom } from './servers.ts';

const options = { dataDir: '/nowhere', say() {}, signal: AbortSignal.timeout(10_000) };

it('says within seconds that a server which was named does not answer, and never its password', async () => {
  const { broker, database } = await findServers(
    { amqpUrl: 'amqp://me:hush@127.0.0.1:1/', mongodbUrl: 'mongodb://me:hush@127.0.0.1:1,127.0.0.1:2/?w=majority' },
    options,
  );
  await expect(broker.start()).rejects.toThrow(
    'RabbitMQ does not answer at 127.0.0.1:1: start it, or unset TIDEMARK_AMQP_URL to have a private one.',
  );
  await expect(database.start()).rejects.toThrow('MongoDB does not answer at 127.0.0.1:1, 127.0.0.1:2');
});

it('is content when one of several hosts answers', async () => {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const { database } = await findServers(
    { amqpUrl: 'amqp://127.0.0.1', mongodbUrl: `mongodb://127.0.0.1:1,127.0.0.1:${port}/` },
    options,
  );
  await database.start();
  server.close();
});

it('refuses a file that should name a server and is empty, rather than to start another one', () => {
  const env = { TIDEMARK_MONGODB_URL_FILE: '/dev/null', TIDEMARK_AMQP_URL: ' ' };
  expect(() => urlFrom(env, 'TIDEMARK_MONGODB_URL')).toThrow(
    'TIDEMARK_MONGODB_URL_FILE names /dev/null, which is empty',
  );
  expect(urlFrom(env, 'TIDEMARK_AMQP_URL')).toBeUndefined();
});
