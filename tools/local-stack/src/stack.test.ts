import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { isAlive } from '@tidemark/processes/identity';
import { expect, test, vi } from 'vitest';
import { connectionPath } from './connection-file.ts';
import { isTaken } from './ports.ts';
import { readRunRecords } from './run-record.ts';
import { startStack } from './stack.ts';

const SERVERS_ONLY = {
  'strategy-service': 0,
  'backup-service': 0,
  'scheduler-service': 0,
  'executor-worker': 0,
  gateway: 0,
};

test('a stack tells scripts where it is, and leaves no process and no file', async () => {
  const stack = await startStack({ copies: SERVERS_ONLY });
  const records = readRunRecords(stack.dataDir);
  expect(records.length).toBeGreaterThan(0);
  const path = connectionPath(stack.dataDir);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ token: stack.token, dataDir: stack.dataDir });
  await expect(startStack({ dataDir: stack.dataDir, copies: SERVERS_ONLY })).rejects.toThrow(
    `A stack (process ${process.pid}) already runs with the data folder ${stack.dataDir}`,
  );

  await stack[Symbol.asyncDispose]();
  expect(records.some(isAlive)).toBe(false);
  expect(existsSync(stack.dataDir)).toBe(false);
});

test('a stack that is killed leaves no broker, no database and no file for long', async () => {
  const script = `
    import { startStack } from '${import.meta.dirname}/stack.ts';
    const stack = await startStack({ copies: ${JSON.stringify(SERVERS_ONLY)} });
    console.log(stack.dataDir);
  `;
  const killed = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(killed.stdout, 'data');
  const dataDir = String(line).trim();
  const records = readRunRecords(dataDir);
  expect(records.filter(isAlive).length).toBeGreaterThan(1);
  killed.kill('SIGKILL');
  await vi.waitFor(() => expect(records.some(isAlive)).toBe(false), { timeout: 20_000, interval: 100 });
  await vi.waitFor(() => expect(existsSync(dataDir)).toBe(false), { timeout: 20_000, interval: 100 });
});

test('a start that is given up leaves nothing', async () => {
  const giveUp = new AbortController();
  const said: string[] = [];
  const say = (line: string) => {
    said.push(line);
    if (line.startsWith('RabbitMQ:')) giveUp.abort(new Error('enough'));
  };
  await expect(startStack({ copies: SERVERS_ONLY, say, signal: giveUp.signal })).rejects.toThrow('enough');
  const folder = said.find((line) => line.startsWith('RabbitMQ:'))?.match(/private, (.*)\/rabbitmq/)?.[1] ?? '';
  expect(existsSync(folder)).toBe(false);
});

test('a server that was given is used as it is and cannot be stopped', async () => {
  const listener = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  using _ = { [Symbol.dispose]: () => void listener.close() };
  const amqpUrl = `amqp://me:hunter2@127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  await using stack = await startStack({ copies: SERVERS_ONLY, amqpUrl, say });
  expect(stack.broker.url).toBe(amqpUrl);
  expect(said.join()).not.toContain('hunter2');
  await expect(stack.broker.wipe()).rejects.toThrow('cannot stop, kill or wipe');
  expect(await isTaken(Number(new URL(stack.database.url).port))).toBe(true);
});

test('a storage that is not there and a br that cannot be executed are one sentence each', async () => {
  await expect(startStack({ storage: '/nowhere' })).rejects.toThrow('/nowhere is no folder');
  await expect(startStack({ br: ['/nowhere/br'] })).rejects.toThrow('/nowhere/br cannot be executed');
});
