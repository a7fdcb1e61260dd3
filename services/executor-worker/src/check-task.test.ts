import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Location, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCheckSteps } from './check-steps.ts';
import { runCheckTask } from './check-task.ts';

const ROOT = 'nfs/em/backup';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-check-'));
});
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true, force: true });
});

const never = new AbortController().signal;
const local = (path: string) => Storage.create({ id: 's1', root: ROOT, location: { $case: 'local', value: { path } } });
const probe = async (storage: Storage, { lost = never, drain = never } = {}) => {
  const steps = createCheckSteps();
  await runCheckTask({ checkId: 'check-1', storage, env: {}, steps, lost, drain });
  return steps;
};
const names = ({ kept }: { kept: readonly { name: string }[] }) => kept.map(({ name }) => name);

it('does with a probe what a backup and its removal do, times it, and leaves nothing behind', async () => {
  const steps = await probe(local(folder));
  expect(steps.ok).toBe(true);
  expect(names(steps)).toEqual(['credentials', 'reach', 'write', 'list', 'read', 'delete', 'gone', 'traits']);
  for (const { message, seconds } of steps.kept) {
    expect(message).toMatch(/^\S.*\.$/);
    expect(seconds).toBeGreaterThanOrEqual(0);
  }
  expect(readdirSync(join(folder, ROOT))).toEqual([]);
});

it('says of a folder that is not there that it is not, and does no more', async () => {
  const steps = await probe(local(join(folder, 'nowhere')));
  expect(steps.ok).toBe(false);
  expect(names(steps)).toEqual(['credentials', 'reach']);
  expect(steps.kept.at(-1)).toMatchObject({ ok: false, message: expect.stringMatching(/nowhere.*is it mounted\?/) });
});

it('tells the log more of a file with credentials that does not fit than whoever named it', async () => {
  const file = join(folder, 'credentials');
  writeFileSync(file, 'AWS_ACCESS_KEY_ID=key', { mode: 0o644 });
  const value = S3Location.create({ bucket: 'b' });
  const storage = Storage.create({
    id: 's1',
    root: ROOT,
    location: { $case: 's3', value },
    credentials: { source: { $case: 'file', value: file } },
  });
  const told: unknown[] = [];
  const steps = createCheckSteps((name, error) => told.push(name, error));
  await runCheckTask({ checkId: 'check-1', storage, env: {}, steps, lost: never, drain: never });
  expect(steps.kept).toMatchObject([{ ok: false, message: expect.not.stringContaining('others can read it') }]);
  expect(told).toMatchObject(['credentials', { cause: { message: 'others can read it' } }]);
});

it('says why nothing can be written, and stops there', async () => {
  // A file where the folder should be is refused to every user, root included.
  mkdirSync(join(folder, ROOT), { recursive: true });
  writeFileSync(join(folder, ROOT, '.tidemark-probe'), '');
  const steps = await probe(local(folder));
  expect(names(steps)).toEqual(['credentials', 'reach', 'write']);
  expect(steps.kept.at(-1)).toMatchObject({ ok: false, message: expect.stringMatching(/\S/) });
  expect(readdirSync(join(folder, ROOT))).toEqual(['.tidemark-probe']);
});

it('follows no link out of the storage', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'tidemark-outside-'));
  mkdirSync(join(folder, 'nfs'));
  symlinkSync(outside, join(folder, 'nfs', 'em'));
  const steps = await probe(local(folder));
  expect(steps.kept.at(-1)).toMatchObject({ ok: false, message: expect.stringContaining('is a link') });
  expect(readdirSync(outside)).toEqual([]);
  rmSync(outside, { recursive: true });
});

it('leaves the probe of another check alone', async () => {
  const other = join(folder, ROOT, '.tidemark-probe', 'check-2');
  mkdirSync(join(folder, ROOT, '.tidemark-probe'), { recursive: true });
  writeFileSync(other, 'theirs');
  expect((await probe(local(folder))).ok).toBe(true);
  expect(existsSync(other)).toBe(true);
});

it('names the variables of missing credentials, never a value', async () => {
  const storage = Storage.create({
    id: 's1',
    root: ROOT,
    location: { $case: 's3', value: { bucket: 'b' } as never },
    credentials: { source: { $case: 'envPrefix', value: 'PROD_' } },
  });
  const steps = await probe(storage);
  expect(names(steps)).toEqual(['credentials']);
  expect(steps.kept[0]).toMatchObject({ ok: false, message: expect.stringContaining('PROD_AWS_ACCESS_KEY_ID') });
});

it('writes nothing once it is to stop', async () => {
  const steps = await probe(local(folder), { drain: AbortSignal.abort(new Error('stopping')) });
  expect(steps.ok).toBe(false);
  expect(existsSync(join(folder, ROOT, '.tidemark-probe'))).toBe(false);
});
