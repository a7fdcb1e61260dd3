import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@tidemark/errors/app-error';
import {
  CheckRef,
  ManifestVerdict,
  type OfferManifestRequest,
  type OfferManifestResponse,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCheckSteps } from './check-steps.ts';
import { runRebuildTask } from './rebuild-task.ts';

const ROOT = 'nfs/em/backup';
let folder: string;
let offered: OfferManifestRequest[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-rebuild-'));
  offered = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (path: string, content: string) => {
  mkdirSync(join(folder, ROOT, path, '..'), { recursive: true });
  writeFileSync(join(folder, ROOT, path), content);
};
const putBackup = (path: string, manifest = path) => {
  put(`${path}/backupmeta`, 'meta');
  put(`${path}/tidemark.json`, manifest);
};
const held = (verdict: ManifestVerdict, message = 'fine'): OfferManifestResponse => ({
  standing: TaskStanding.TASK_STANDING_HELD,
  verdict,
  message,
});
const never = new AbortController().signal;
const rebuild = async (
  answer: (request: OfferManifestRequest) => OfferManifestResponse,
  { path = folder, lost = never } = {},
) => {
  const steps = createCheckSteps();
  await runRebuildTask({
    checkId: 'check-1',
    check: CheckRef.create({ checkId: 'check-1', claim: 'claim', fence: 1n }),
    storage: Storage.create({ id: 's1', root: ROOT, location: { $case: 'local', value: { path } } }),
    env: {},
    steps,
    lost,
    drain: never,
    requestId: 'r1',
    callMs: 1_000,
    client: {
      async offerManifest(request) {
        offered.push(request);
        return answer(request);
      },
    },
  });
  return steps;
};

it('offers every manifest as it lies there, and tells each verdict after the counts', async () => {
  putBackup('c1/one');
  putBackup('c1/two');
  putBackup('c2/three');
  put('c2/running/checkpoint.lock', '');
  const verdicts: Record<string, OfferManifestResponse> = {
    [`${ROOT}/c1/one`]: held(ManifestVerdict.MANIFEST_VERDICT_KNOWN),
    [`${ROOT}/c1/two`]: held(ManifestVerdict.MANIFEST_VERDICT_REBUILT),
    [`${ROOT}/c2/three`]: held(ManifestVerdict.MANIFEST_VERDICT_REFUSED, 'It is bad.'),
  };
  const steps = await rebuild(({ path }) => verdicts[path] as OfferManifestResponse);
  expect(offered.map(({ path, manifest }) => [path, Buffer.from(manifest).toString()]).sort()).toEqual([
    [`${ROOT}/c1/one`, 'c1/one'],
    [`${ROOT}/c1/two`, 'c1/two'],
    [`${ROOT}/c2/three`, 'c2/three'],
  ]);
  const [counts, ...found] = steps.kept;
  expect(counts).toMatchObject({
    name: ROOT,
    ok: true,
    message: '1 known, 0 missing, 1 rebuilt, 1 refused, 0 unreadable, 1 without a manifest',
  });
  expect(Object.fromEntries(found.map(({ name, ok, message }) => [name, `${ok} ${message}`]))).toEqual({
    [`${ROOT}/c1/one`]: 'true known: fine',
    [`${ROOT}/c1/two`]: 'true rebuilt: fine',
    [`${ROOT}/c2/three`]: 'false refused: It is bad.',
  });
  expect(steps).toMatchObject({ total: 4, ok: false });
});

it('does not offer a backup that is half removed, and looks at no folder that is not Tidemark’s', async () => {
  put('c1/half/tidemark.json', '{}');
  putBackup('.tidemark-probe/x');
  putBackup('lost+found/x');
  const steps = await rebuild(() => held(ManifestVerdict.MANIFEST_VERDICT_KNOWN));
  expect(offered).toEqual([]);
  expect(steps.kept.slice(1)).toMatchObject([
    { name: `${ROOT}/c1/half`, ok: false, message: expect.stringContaining('backupmeta is gone') },
  ]);
});

it('finds nothing in a storage that was never used, and says so of one that is not there', async () => {
  const empty = await rebuild(() => held(ManifestVerdict.MANIFEST_VERDICT_KNOWN));
  expect(empty).toMatchObject({ ok: true, total: 1 });
  const absent = await rebuild(() => held(ManifestVerdict.MANIFEST_VERDICT_KNOWN), { path: join(folder, 'nowhere') });
  expect(absent).toMatchObject({ ok: false, total: 2 });
  expect(absent.kept[1]?.message).toContain('is it mounted?');
});

it('asks again when backup-service does not answer', async () => {
  putBackup('c1/one');
  const steps = await rebuild(() => {
    if (offered.length < 2) throw new AppError('unavailable', 'not now');
    return held(ManifestVerdict.MANIFEST_VERDICT_MISSING);
  });
  expect(offered).toHaveLength(2);
  expect(steps.kept[1]?.message).toBe('missing: fine');
});

it('goes on after a manifest that was refused with an error', async () => {
  putBackup('c1/one');
  putBackup('c1/two');
  const steps = await rebuild(({ path }) => {
    if (path.endsWith('one')) throw new AppError('internal', 'Broken.');
    return held(ManifestVerdict.MANIFEST_VERDICT_KNOWN);
  });
  const [counts, ...found] = steps.kept;
  expect(counts?.message).toContain('1 known, 0 missing, 0 rebuilt, 0 refused, 1 unreadable');
  expect(found.map(({ message }) => message).sort()).toEqual(['known: fine', 'unreadable: Broken.']);
});

it('stops at once when the check is lost', async () => {
  putBackup('c1/one');
  putBackup('c1/two');
  const lost = new AbortController();
  await expect(
    rebuild(
      () => {
        lost.abort(new Error('lost'));
        return { ...held(ManifestVerdict.MANIFEST_VERDICT_UNSPECIFIED), standing: TaskStanding.TASK_STANDING_LOST };
      },
      { lost: lost.signal },
    ),
  ).rejects.toThrow('lost');
  expect(offered).toHaveLength(1);
});

it('goes on where a pipe, a device or a huge file lies in the place of a small one', { timeout: 20_000 }, async () => {
  putBackup('c1/good');
  put('c1/pipe/backupmeta', 'meta');
  execFileSync('mkfifo', [join(folder, ROOT, 'c1/pipe/tidemark.json')]);
  put('c1/huge/tidemark.json', 'x');
  put('c1/huge/backupmeta', 'meta');
  truncateSync(join(folder, ROOT, 'c1/huge/tidemark.json'), 100 * 1024 ** 3);
  put('c1/large/tidemark.json', 'large');
  put('c1/large/backupmeta', 'meta');
  truncateSync(join(folder, ROOT, 'c1/large/backupmeta'), 100 * 1024 ** 3);
  put('c1/blocked/tidemark.json', 'blocked');
  execFileSync('mkfifo', [join(folder, ROOT, 'c1/blocked/backupmeta')]);
  const steps = await rebuild(() => held(ManifestVerdict.MANIFEST_VERDICT_REBUILT));
  expect(offered.map(({ path }) => path).sort()).toEqual([`${ROOT}/c1/good`, `${ROOT}/c1/large`]);
  const told = Object.fromEntries(steps.kept.map(({ name, message }) => [name.slice(ROOT.length + 1), message]));
  expect(told).toMatchObject({
    'c1/pipe': expect.stringMatching(/^unreadable: .*not a regular file/),
    'c1/huge': expect.stringMatching(/^unreadable: .*more than 1048576 bytes/),
    'c1/blocked': expect.stringMatching(/^unreadable: .*not a regular file/),
  });
});
