import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Container,
  containerName,
  containerProcess,
  findDocker,
  removeContainer,
  removeVolume,
} from './docker.ts';
import { findInstaller } from './install-package.ts';
import { type LocalServer, type LocalServerOptions, localServer } from './local-server.ts';
import { freePort } from './ports.ts';
import { AMQP_GREETING, brokerIdentity, brokerUrl, privateRabbitmq } from './private-rabbitmq.ts';
import { findRabbitmqServer } from './rabbitmq-program.ts';

const IMAGE = 'rabbitmq:4-alpine';

/**
 * Finds a RabbitMQ for a stack and prepares it (stack-findings 11): an installed one, the official image where a
 * Docker engine answers, one from the package manager. `start` is the caller's.
 *
 * @throws a sentence that says what to install when there is none
 */
export async function findRabbitmq(options: LocalServerOptions): Promise<LocalServer> {
  const installed = findRabbitmqServer();
  if (installed !== undefined) return privateRabbitmq(installed, options);
  const docker = await findDocker(options.signal);
  if (docker !== undefined) return rabbitmqContainer(docker, options);
  const installer = await findInstaller({ apt: 'rabbitmq-server', brew: 'rabbitmq' }, options.signal);
  const advice =
    'Install RabbitMQ 3.10 or newer (apt-get install rabbitmq-server, brew install rabbitmq), start Docker, ' +
    'or set TIDEMARK_AMQP_URL.';
  if (installer === undefined) throw new Error(`There is no RabbitMQ on this machine. ${advice}`);
  try {
    await installer.install(options);
  } catch (error) {
    options.signal.throwIfAborted();
    throw new Error(`RabbitMQ could not be installed: ${(error as Error).message} ${advice}`, { cause: error });
  }
  const now = findRabbitmqServer();
  if (now === undefined) throw new Error(`"${installer.command}" brought no rabbitmq-server. ${advice}`);
  return privateRabbitmq(now, options);
}

async function rabbitmqContainer(docker: string, options: LocalServerOptions): Promise<LocalServer> {
  const folder = join(options.dataDir, 'rabbitmq');
  const identity = brokerIdentity(folder);
  const port = await freePort();
  const envFile = join(folder, 'container.env');
  const container: Container = {
    docker,
    image: IMAGE,
    name: containerName(options.dataDir, 'rabbitmq'),
    innerPort: 5672,
    innerData: '/var/lib/rabbitmq',
    envFile,
  };
  const variables = `RABBITMQ_DEFAULT_USER=${identity.user}\nRABBITMQ_DEFAULT_PASS=${identity.password}\n`;
  const plan = {
    url: brokerUrl(identity, port),
    choice: `RabbitMQ: Docker image ${IMAGE}, container and volume ${container.name}`,
    processes: [containerProcess(container, { name: 'rabbitmq', title: 'RabbitMQ', port, probe: AMQP_GREETING })],
    prepare: async () => {
      await writeFile(envFile, variables, { mode: 0o600 });
      await removeContainer(container);
    },
    afterStop: () => removeContainer(container),
    erase: () => removeVolume(container),
  };
  return localServer(plan, options);
}
