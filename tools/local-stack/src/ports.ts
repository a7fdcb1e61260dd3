import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import getPort from 'get-port';
import {
  GATEWAY_PORT,
  GRPC_OFFSET,
  KINDS,
  OPERATIONS_OFFSET,
  SERVICE_KINDS,
  type ServiceKind,
  WORKER_OPERATIONS_OFFSET,
} from './service-kinds.ts';

/** The range free ports are taken from: below the ephemeral ones, which outgoing connections may take at any time. */
const FREE_FROM = 20_000;
const FREE_TO = 32_000;

/** A port on loopback that nobody listens on now, and that this process does not hand out again. */
export async function freePort(preferred: readonly number[] = []): Promise<number> {
  const candidates = Array.from({ length: 50 }, () => randomInt(FREE_FROM, FREE_TO));
  return getPort({ host: '127.0.0.1', port: [...preferred, ...candidates], reserve: true });
}

/** `count` different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, () => freePort()));
}

/** Whether somebody already listens on a port of loopback, or this user may not. */
export async function isTaken(port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(true);
    else reject(error);
  });
  server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(false)));
  return promise;
}

/** Where one process of the stack listens; `port` is undefined for a worker. */
export interface PlacedProcess {
  readonly kind: ServiceKind;
  readonly name: string;
  readonly port: number | undefined;
  /** Of a gateway: where it serves gRPC. */
  readonly grpcPort?: number;
  readonly operationsPort: number;
}

/**
 * Chooses the ports of all processes. The gateway gets exactly `gatewayPort`; every other one takes the port that
 * belongs to it (architecture 1, moved along with the gateway's), or a free one where that is taken.
 *
 * @param gatewayPort `'free'` gives free ports to all
 * @throws a sentence that names the gateway's port and how to change it, when it is taken
 */
export async function placeProcesses(
  copies: Readonly<Record<ServiceKind, number>>,
  gatewayPort: number | 'free' = GATEWAY_PORT,
): Promise<PlacedProcess[]> {
  if (gatewayPort !== 'free' && (await isTaken(gatewayPort))) {
    throw new Error(
      `Port ${gatewayPort} is taken: choose another one for the API with --port, or stop what listens there.`,
    );
  }
  const placed: PlacedProcess[] = [];
  for (const kind of KINDS) {
    for (let copy = 1; copy <= copies[kind]; copy++) placed.push(await place(kind, copy, copies[kind], gatewayPort));
  }
  return placed;
}

async function place(
  kind: ServiceKind,
  copy: number,
  copies: number,
  gatewayPort: number | 'free',
): Promise<PlacedProcess> {
  const { offset } = SERVICE_KINDS[kind];
  const name = copies === 1 ? kind : `${kind}-${copy}`;
  const own = (distance: number) => (gatewayPort === 'free' ? [] : [gatewayPort + distance]);
  if (offset === undefined) {
    return { kind, name, port: undefined, operationsPort: await freePort(own(WORKER_OPERATIONS_OFFSET + copy - 1)) };
  }
  const first = copy === 1;
  const exact = first && kind === 'gateway' && gatewayPort !== 'free';
  const port = exact ? gatewayPort : await freePort(first ? own(offset) : []);
  const operationsPort = await freePort(first ? own(offset + OPERATIONS_OFFSET) : []);
  if (kind !== 'gateway') return { kind, name, port, operationsPort };
  return { kind, name, port, operationsPort, grpcPort: await freePort(first ? own(GRPC_OFFSET) : []) };
}
