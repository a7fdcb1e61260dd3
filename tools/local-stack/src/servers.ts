import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import type { LocalServer, LocalServerOptions } from './local-server.ts';
import { findMongodb } from './mongodb.ts';
import { findRabbitmq } from './rabbitmq.ts';

/** The broker and the database of a stack: its own, or somebody else's whose URL was given. */
export interface Servers {
  readonly broker: LocalServer;
  readonly database: LocalServer;
}

const ANSWER_MS = 3_000;

/** Finds both servers side by side, installing what is missing; nothing is started. */
export async function findServers(
  given: { readonly amqpUrl?: string; readonly mongodbUrl?: string },
  options: LocalServerOptions,
): Promise<Servers> {
  const [broker, database] = await Promise.all([
    given.amqpUrl === undefined ? findRabbitmq(options) : givenServer('RabbitMQ', 'TIDEMARK_AMQP_URL', given.amqpUrl),
    given.mongodbUrl === undefined
      ? findMongodb(options)
      : givenServer('MongoDB', 'TIDEMARK_MONGODB_URL', given.mongodbUrl),
  ]);
  return { broker, database };
}

/**
 * The URL that the variable, or the file it names with `_FILE`, holds; `undefined` when neither is set.
 *
 * @throws a sentence when the file holds none
 */
export function urlFrom(
  env: NodeJS.ProcessEnv,
  name: 'TIDEMARK_AMQP_URL' | 'TIDEMARK_MONGODB_URL',
): string | undefined {
  const file = env[`${name}_FILE`]?.trim();
  if (!file) return env[name]?.trim() || undefined;
  const url = readFileSync(file, 'utf8').trim();
  if (url === '') throw new Error(`${name}_FILE names ${file}, which is empty: write the URL into it.`);
  return url;
}

/** A server that is not ours: used as it is, never stopped or wiped. */
function givenServer(title: string, variable: string, url: string): LocalServer {
  const refuse = async () => {
    throw new Error(`This stack uses a ${title} that was given to it, which it cannot stop, kill or wipe.`);
  };
  return {
    url,
    choice: `${title}: ${redacted(url)}, as configured`,
    start: () => requireAnswer(title, variable, url),
    stop: refuse,
    kill: refuse,
    wipe: refuse,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Nobody else would say within seconds that a server which was named is not there: the services wait for it. */
async function requireAnswer(title: string, variable: string, url: string): Promise<void> {
  const addresses = addressesOf(url);
  const answers = await Promise.all(addresses.map(accepts));
  if (addresses.length === 0 || answers.includes(true)) return;
  const where = addresses.map(({ host, port }) => `${host}:${port}`).join(', ');
  throw new Error(`${title} does not answer at ${where}: start it, or unset ${variable} to have a private one.`);
}

interface Address {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { amqp: 5672, amqps: 5671, mongodb: 27017 };

/** Every host that a connection URL names; none where only DNS knows them (mongodb+srv). */
function addressesOf(url: string): Address[] {
  const [, scheme = '', hosts = ''] = /^([a-z+]+):\/\/(?:[^@/]*@)?([^/?]+)/.exec(url) ?? [];
  const fallback = DEFAULT_PORTS[scheme];
  if (fallback === undefined) return [];
  return hosts.split(',').map((address) => {
    const [, host = address, port] = /^(.*?)(?::(\d+))?$/.exec(address) ?? [];
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? fallback) };
  });
}

function accepts({ host, port }: Address): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createConnection({ host, port, timeout: ANSWER_MS });
  const finish = (answer: boolean) => {
    socket.destroy();
    resolve(answer);
  };
  socket.once('connect', () => finish(true));
  socket.once('timeout', () => finish(false));
  socket.once('error', () => finish(false));
  return promise;
}

function redacted(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//').replace(/\?.*$/, '');
}
