import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort, freePorts, placeProcesses } from './ports.ts';
import { DEFAULT_COPIES } from './service-kinds.ts';

async function listen(port = 0) {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

test('a taken port of the API is one sentence that names it and the flag to change it', async () => {
  await using taken = await listen();
  await expect(placeProcesses(DEFAULT_COPIES, taken.port)).rejects.toThrow(
    `Port ${taken.port} is taken: choose another one for the API with --port, or stop what listens there.`,
  );
});

test('every process takes the port that belongs to it, or a free one where that is taken', async () => {
  const base = await freePort();
  await using _ = await listen(base + 2);
  const placed = await placeProcesses(DEFAULT_COPIES, base);
  const port = (name: string) => placed.find((one) => one.name === name)?.port;
  expect(port('gateway')).toBe(base);
  expect(port('strategy-service')).toBe(base + 1);
  expect(port('backup-service')).not.toBe(base + 2);
  expect(placed.find(({ name }) => name === 'gateway')).toMatchObject({
    grpcPort: base + 4,
    operationsPort: base + 10,
  });
  expect(placed.find(({ name }) => name === 'executor-worker-1')?.operationsPort).toBe(base + 14);
});

test('ports are never handed out twice', async () => {
  const ports = await freePorts(50);
  expect(new Set(ports).size).toBe(50);
});
