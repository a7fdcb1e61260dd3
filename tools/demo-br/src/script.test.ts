import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { outcomeOfThisRun } from './run-count.ts';
import { readScript } from './script.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'demo-br-script-'));
  mkdirSync(join(root, 'cluster'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const write = (folder: string, fields: object | string) =>
  writeFileSync(join(root, folder, 'demo-br.json'), typeof fields === 'string' ? fields : JSON.stringify(fields));
const read = (env: Record<string, string> = {}, pd = ['a:1']) => readScript(env, join(root, 'cluster', 'backup'), pd);

test('without a script a demo takes five pleasant seconds', async () => {
  expect(await read()).toMatchObject({
    seconds: 5,
    regions: 20,
    hasLock: true,
    version: 'v8.5.0',
    lockTtlSeconds: 300,
  });
});

test('the nearest file above the path counts, alone, and before the environment', async () => {
  write('.', { seconds: 1, regions: 3 });
  expect(await read({ DEMO_BR_REGIONS: '9', DEMO_BR_BYTES_PER_FILE: '10' })).toMatchObject({
    seconds: 1,
    regions: 3,
    bytesPerFile: 10,
  });
  write('cluster', { seconds: 2 });
  expect(await read()).toMatchObject({ seconds: 2, regions: 20 });
});

test('fields for restores alone count for those, whichever way they are given', async () => {
  const restore = (env: Record<string, string> = {}) => readScript(env, join(root, 'cluster', 'backup'), [], 'restore');
  const env = { DEMO_BR_SECONDS: '7', DEMO_BR_RESTORE: '{"seconds":8,"outcome":"crash"}' };
  expect([(await read(env)).seconds, (await restore(env)).seconds]).toEqual([7, 8]);
  expect((await restore(env)).outcome.kind).toBe('crash');
  write('.', { seconds: 1, restore: { seconds: 2 } });
  expect([(await read()).seconds, (await restore()).seconds]).toEqual([1, 2]);
  write('.', { restore: { secnods: 2 } });
  await expect(read()).rejects.toThrow(
    `demo-br: restore in ${join(root, 'demo-br.json')} has no use for a field secnods`,
  );
  write('.', { restore: 'slow' });
  await expect(read()).rejects.toThrow('is not an object of such fields, for restores alone');
});

test('DEMO_BR_SCRIPT names the only file that is read', async () => {
  write('cluster', { seconds: 2 });
  write('.', { seconds: 7 });
  expect((await read({ DEMO_BR_SCRIPT: join(root, 'demo-br.json') })).seconds).toBe(7);
  await expect(read({ DEMO_BR_SCRIPT: join(root, 'none.json') })).rejects.toThrow('which is not there');
});

test('outcomes are a kind or an object, in the environment too', async () => {
  expect((await read({ DEMO_BR_OUTCOME: 'hang' })).outcome).toMatchObject({ kind: 'hang', at: 0.5 });
  expect((await read({ DEMO_BR_OUTCOME: '{"kind":"fail","at":1}' })).outcome).toMatchObject({ kind: 'fail', at: 1 });
  write('.', { outcome: { kind: 'kill-parent', levels: 1 } });
  expect((await read()).outcome).toMatchObject({ kind: 'kill-parent', levels: 1 });
});

test.each([
  [{ second: 1 }, 'has no use for a field second'],
  [{ seconds: -1 }, 'is not a number of seconds'],
  [{ clusterId: 2 ** 62 }, 'is not the digits of a 64-bit number'],
  [{ outcome: 'explode' }, 'is not a kind of outcome'],
  [{ outcome: { kind: 'fail', when: 1 } }, 'is not a kind of outcome'],
  ['{', 'is not JSON'],
])('a mistake in a script is named: %j', async (fields, message) => {
  write('.', fields);
  await expect(read()).rejects.toThrow(message);
});

test('each cluster has an id of its own, the same every time, unless the script gives one', async () => {
  const [first, again, other] = await Promise.all([read({}, ['a:1']), read({}, ['a:1']), read({}, ['b:1'])]);
  expect(again.clusterId).toBe(first.clusterId);
  expect(other.clusterId).not.toBe(first.clusterId);
  write('.', { clusterId: '7140000000000000001' });
  expect((await read()).clusterId).toBe(7140000000000000001n);
});

test('BR has a checkpoint.lock from 6.5.1 on', async () => {
  expect((await read({ DEMO_BR_VERSION: 'v6.5.0' })).hasLock).toBe(false);
  expect((await read({ DEMO_BR_VERSION: 'v6.5.1' })).hasLock).toBe(true);
  expect((await read({ DEMO_BR_VERSION: 'v8.5.0', DEMO_BR_HAS_LOCK: 'false' })).hasLock).toBe(false);
});

test('an outcome for the first two runs is for exactly two, even if all start together', async () => {
  write('.', { outcome: { kind: 'fail', times: 2 } });
  const { outcome, runsFile } = await read();
  const kinds = await Promise.all(Array.from({ length: 5 }, () => outcomeOfThisRun(outcome, runsFile)));
  expect(kinds.map(({ kind }) => kind).toSorted()).toEqual(['fail', 'fail', 'success', 'success', 'success']);
  await expect(outcomeOfThisRun(outcome, undefined)).rejects.toThrow('needs a script file');
});
