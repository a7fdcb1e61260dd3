/**
 * RabbitMQ as a child of ours: own port, data, Erlang node name, cookie and `epmd`, loopback only.
 *
 * 1. `epmd` is a child too. Left to Erlang it would be a daemon that outlives the broker.
 * 2. The launcher replaces itself by the Erlang machine (RABBITMQ_ALLOW_INPUT), so the child's pid is the broker's.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type LocalServer, type LocalServerOptions, localServer, type ServerProcess } from './local-server.ts';
import { freePorts } from './ports.ts';
import { type CodePath, linkBrokerCode } from './rabbitmq-code-path.ts';
import { findEpmd } from './rabbitmq-program.ts';
import { newServerUser, privateRecord, type ServerUser } from './secret-files.ts';

/** What a client of AMQP 0-9-1 says first; a server that is up answers with Connection.Start. */
export const AMQP_GREETING = Buffer.from('AMQP\0\0\x09\x01', 'latin1');

/** What must stay the same as long as the data does. */
export interface BrokerIdentity extends ServerUser {
  readonly node: string;
}

const CONTROL_MS = 60_000;

interface BrokerPorts {
  readonly amqp: number;
  readonly distribution: number;
  readonly epmd: number;
}

/** Prepares (and does not start) a private broker run by the server program at that path. */
export async function privateRabbitmq(program: string, options: LocalServerOptions): Promise<LocalServer> {
  const folder = join(options.dataDir, 'rabbitmq');
  const identity = brokerIdentity(folder);
  const [amqp = 0, distribution = 0, epmd = 0] = await freePorts(3);
  const ports: BrokerPorts = { amqp, distribution, epmd };
  const code = linkBrokerCode(program, join(folder, 'plugins'));
  const env = environment(folder, identity, ports, code);
  const tool = join(dirname(realpathSync(program)), 'rabbitmqctl');
  const plan = {
    url: brokerUrl(identity, amqp),
    choice: `RabbitMQ: ${program}, private, ${folder}`,
    processes: processes(program, env, ports),
    prepare: () => writeConfiguration(folder, identity, ports),
    erase: () => rm(join(folder, 'mnesia'), { recursive: true, force: true }),
    control: async (args: readonly string[]) =>
      (await promisify(execFile)(tool, args, { env, timeout: CONTROL_MS })).stdout,
  };
  return localServer(plan, options);
}

/**
 * Reads the names and the password that belong to the broker's data, or makes them.
 *
 * @throws a sentence that names the file when it is damaged
 */
export function brokerIdentity(folder: string): BrokerIdentity {
  return privateRecord<BrokerIdentity>(
    join(folder, 'identity.json'),
    ['node', 'user', 'password'],
    () => ({ node: `tidemark-${randomBytes(6).toString('hex')}@localhost`, ...newServerUser() }),
    `remove ${folder}; RabbitMQ begins anew there, and no backup is lost by that`,
  );
}

/** Where clients of a private broker connect. */
export function brokerUrl({ user, password }: BrokerIdentity, port: number): string {
  return `amqp://${user}:${password}@127.0.0.1:${port}`;
}

function processes(program: string, env: NodeJS.ProcessEnv, ports: BrokerPorts): ServerProcess[] {
  const broker: ServerProcess = {
    name: 'rabbitmq',
    title: 'RabbitMQ',
    program,
    args: [],
    env,
    port: ports.amqp,
    probe: AMQP_GREETING,
    startTimeoutMs: 60_000,
    stopGraceMs: 15_000,
  };
  const epmdProgram = findEpmd();
  if (epmdProgram === undefined) throw new Error('RabbitMQ is installed but its epmd is not on PATH: install Erlang.');
  const epmd: ServerProcess = {
    name: 'epmd',
    title: 'epmd',
    program: epmdProgram,
    args: ['-port', String(ports.epmd), '-address', '127.0.0.1'],
    env,
    port: ports.epmd,
    startTimeoutMs: 10_000,
    stopGraceMs: 2_000,
  };
  return [epmd, broker];
}

async function writeConfiguration(folder: string, identity: BrokerIdentity, ports: BrokerPorts): Promise<void> {
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
    // The default user replaces `guest`, which is never made.
    `default_user = ${identity.user}`,
    `default_pass = ${identity.password}`,
    'disk_free_limit.absolute = 50MB',
    'raft.wal_max_size_bytes = 64000000',
    'log.console = true',
    'log.console.level = warning',
    'log.file = false',
  ];
  await writeFile(join(folder, 'rabbitmq.conf'), `${lines.join('\n')}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'advanced.config'), '[].\n', { mode: 0o600 });
  await writeFile(join(folder, 'enabled_plugins'), '[].\n', { mode: 0o600 });
  await writeFile(join(folder, 'rabbitmq-env.conf'), '', { mode: 0o600 });
}

function environment(
  folder: string,
  identity: BrokerIdentity,
  ports: BrokerPorts,
  code: CodePath | undefined,
): NodeJS.ProcessEnv {
  return {
    PATH: [process.env.PATH, '/usr/bin', '/bin', '/usr/sbin', '/sbin'].filter(Boolean).join(':'),
    LANG: 'C.UTF-8',
    // The Erlang cookie is made there.
    HOME: folder,
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_NODENAME: identity.node,
    RABBITMQ_NODE_PORT: String(ports.amqp),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'rabbitmq-env.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_PID_FILE: join(folder, 'mnesia', 'pid'),
    ...(code && { RABBITMQ_PLUGINS_DIR: code.plugins }),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [
      '-noinput -start_epmd false',
      // Without an interface of its own the distribution port listens on 0.0.0.0.
      '-kernel inet_dist_use_interface {127,0,0,1}',
      // Without busy waiting an idle broker leaves the processors to others.
      '+sbwt none +sbwtdcpu none +sbwtdio none',
      ...(code?.folders ?? []).map((path) => `-pa ${path}`),
    ].join(' '),
  };
}
