import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type AuditTrail, createAuditTrail } from './audit.ts';
import { auditLog, log } from './logger.ts';

let stack: AsyncDisposableStack;
let folder: string;
let file: string;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = await mkdtemp(join(tmpdir(), 'tidemark-audit-'));
  stack.defer(() => rm(folder, { recursive: true }));
  file = join(folder, 'audit.log');
  vi.spyOn(auditLog, 'info').mockImplementation(() => undefined);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await stack.disposeAsync();
});

const start = (): AuditTrail => stack.use(createAuditTrail(file));
const line = (requestId: string) => ({ what: 'put storage', from: '10.0.0.1', status: 200, requestId });
const idsIn = async (path: string): Promise<string[]> =>
  (await readFile(path, 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((text) => JSON.parse(text).requestId);

it('appends each line as JSON with its time, to a file that only its owner can read, and to the log', async () => {
  await writeFile(file, '{"requestId":"before"}\n', { mode: 0o600 });
  const trail = start();
  trail.write(line('r1'));
  trail.write(line('r2'));
  await trail.check();
  expect(await idsIn(file)).toEqual(['before', 'r1', 'r2']);
  const [, first = ''] = (await readFile(file, 'utf8')).split('\n');
  expect(JSON.parse(first)).toEqual({ time: expect.stringMatching(/^\d{4}-.*Z$/), ...line('r1') });
  expect(vi.mocked(auditLog.info).mock.calls).toEqual([
    [line('r1'), 'audit'],
    [line('r2'), 'audit'],
  ]);
});

it('makes the file with mode 0600, and makes it anew when it was moved away', async () => {
  const trail = start();
  trail.write(line('r1'));
  await trail.check();
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await rename(file, `${file}.1`);
  trail.write(line('r2'));
  await trail.check();
  expect([await idsIn(`${file}.1`), await idsIn(file)]).toEqual([['r1'], ['r2']]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

it('says once in the log, and as long as it lasts to who asks, that the file cannot be written; then catches up', async () => {
  const told = vi.spyOn(log, 'error').mockImplementation(() => undefined);
  file = join(folder, 'absent', 'audit.log');
  const trail = start();
  for (const id of ['r1', 'r2', 'r3']) {
    trail.write(line(id));
    await expect(trail.check()).rejects.toThrow(/audit file cannot be written \(ENOENT\)/);
  }
  expect(told).toHaveBeenCalledTimes(1);
  await mkdir(join(folder, 'absent'));
  await trail.check();
  expect(await idsIn(file)).toEqual(['r1', 'r2', 'r3']);
});

it('does not take a folder for a file', async () => {
  vi.spyOn(log, 'error').mockImplementation(() => undefined);
  await mkdir(file);
  await expect(start().check()).rejects.toThrow(/cannot be written \(no file\)/);
});

it('keeps lines whole when two gateways append to one file', async () => {
  const trails = [start(), start()];
  const ids = Array.from({ length: 400 }, (_, index) => `r${index}`);
  for (const [index, id] of ids.entries()) trails[index % 2]?.write(line(id));
  await Promise.all(trails.map((trail) => trail.check()));
  expect(new Set(await idsIn(file))).toEqual(new Set(ids));
});

it('has written what waits before it is closed', async () => {
  const trail = createAuditTrail(file);
  for (let index = 0; index < 100; index += 1) trail.write(line(`r${index}`));
  await trail[Symbol.asyncDispose]();
  expect(await idsIn(file)).toHaveLength(100);
});
