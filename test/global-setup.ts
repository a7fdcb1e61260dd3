import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import type { LocalServer } from '@tidemark/local-stack/local-server';
import { findMongodb } from '@tidemark/local-stack/mongodb';
import { findRabbitmq } from '@tidemark/local-stack/rabbitmq';
import { removeFolder, temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A RabbitMQ that all test files share: use queue and exchange names of your own. */
    amqpUrl: string;
    /** A server for MongoDB's protocol that all test files share: use a database of your own. */
    mongodbUrl: string;
    /** Whether that server and its data are gone after the run. */
    mongodbIsPrivate: boolean;
  }
}

/** Starts one broker and one database for the whole run, unless the environment names some. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = temporaryDataFolder();
  const folder = await claimDataFolder(dataDir);
  const options = { dataDir, say: console.error, signal: AbortSignal.timeout(600_000) };
  const servers: LocalServer[] = [];

  async function provided(url: string | undefined, find: () => Promise<LocalServer>): Promise<string> {
    if (url !== undefined && url !== '') return url;
    const server = await find();
    servers.push(server);
    await server.start();
    return server.url;
  }

  async function teardown(): Promise<void> {
    await Promise.all(servers.map((server) => server.stop()));
    folder[Symbol.dispose]();
    removeFolder(dataDir);
  }

  try {
    const [amqpUrl, mongodbUrl] = await Promise.all([
      provided(process.env.TIDEMARK_AMQP_URL, () => findRabbitmq(options)),
      provided(process.env.TIDEMARK_MONGODB_URL, () => findMongodb(options)),
    ]);
    project.provide('amqpUrl', amqpUrl);
    project.provide('mongodbUrl', mongodbUrl);
    project.provide(
      'mongodbIsPrivate',
      servers.some(({ url }) => url === mongodbUrl),
    );
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}
