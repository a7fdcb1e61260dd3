import { readFileSync } from 'node:fs';
import type { LocalServer, LocalServerOptions } from './local-server.ts';
import { findMongodb } from './mongodb.ts';
import { findRabbitmq } from './rabbitmq.ts';

/** The broker and the database of a stack: its own, or somebody else's whose URL was given. */
export interface Servers {
  readonly broker: LocalServer;
  readonly database: LocalServer;
}

/** Finds both servers side by side, installing what is missing; nothing is started. */
export async function findServers(
  given: { readonly amqpUrl?: string; readonly mongodbUrl?: string },
  options: LocalServerOptions,
): Promise<Servers> {
  const [broker, database] = await Promise.all([
    given.amqpUrl === undefined ? findRabbitmq(options) : givenServer('RabbitMQ', given.amqpUrl),
    given.mongodbUrl === undefined ? findMongodb(options) : givenServer('MongoDB', given.mongodbUrl),
  ]);
  return { broker, database };
}

/** The URL that the variable, or the file it names with `_FILE`, holds; `undefined` when neither is set. */
export function urlFrom(
  env: NodeJS.ProcessEnv,
  name: 'TIDEMARK_AMQP_URL' | 'TIDEMARK_MONGODB_URL',
): string | undefined {
  const file = env[`${name}_FILE`];
  const url = (file ? readFileSync(file, 'utf8') : env[name])?.trim();
  return url === '' ? undefined : url;
}

/** A server that is not ours: used as it is, never stopped or wiped. */
function givenServer(title: string, url: string): LocalServer {
  const refuse = async () => {
    throw new Error(`This stack uses a ${title} that was given to it, which it cannot stop, kill or wipe.`);
  };
  return {
    url,
    choice: `${title}: ${redacted(url)}, as configured`,
    start: async () => undefined,
    stop: refuse,
    kill: refuse,
    wipe: refuse,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function redacted(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//').replace(/\?.*$/, '');
}
