/** A share that is not mounted, and another one in its place: what a worker does with the storage that it was handed. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCheckSteps } from '../check-steps.ts';
import { runCheckTask } from '../check-task.ts';
import { runRebuildTask } from '../rebuild-task.ts';
import { runRemoval } from '../testing/run-removal.ts';
import { openKnownStorage, settleMarker } from './marker.ts';

const ROOT = 'nfs/em/backup';
const MARKER = `${ROOT}/.tidemark/s1.json`;
const [MINE, OTHER] = ['1'.repeat(32), '2'.repeat(32)];
const signal = AbortSignal.timeout(120_000);

let above: string;
let mount: string;
beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), 'tidemark-marker-'));
  mount = join(above, 'mount');
  mkdirSync(mount);
});
afterEach(() => rmSync(above, { recursive: true, force: true }));

const storage = (id = 's1') => Storage.create({ id, root: ROOT, location: { $case: 'local', value: { path: mount } } });
const put = (name: string, content: string) => {
  mkdirSync(dirname(join(mount, name)), { recursive: true });
  writeFileSync(join(mount, name), content);
};
const mark = (number: string) => put(MARKER, JSON.stringify({ schemaVersion: 1, storageId: 's1', number }));
/** As it is while nothing is mounted there. */
const unmount = () => {
  renameSync(mount, join(above, 'server'));
  mkdirSync(mount);
};

/** What backup-service has on record: the first number wins, unless one is adopted. */
const registrar = ({ number = '', backups = [] as string[], instead = '' } = {}) => {
  const record = { number, told: [] as string[] };
  const report = async (found: string) => {
    record.told.push(found);
    if (found !== '' && record.number === instead) record.number = found;
    const candidate = record.number || MINE;
    return { standing: TaskStanding.TASK_STANDING_HELD, number: record.number, candidate, backups };
  };
  return { record, report };
};
const known = (number: string, adopt = false) => ({ storage: storage(), root: ROOT, marker: { number, adopt } });
const open = (number: string, reading?: true) =>
  openKnownStorage(known(number), {}, { signal, ...(reading && { reading }) });
const settle = async ({ report }: ReturnType<typeof registrar>, number = '', adopt = false) => {
  const files = await openKnownStorage(known(number, adopt), {}, { signal });
  return settleMarker({ ...known(number, adopt), files, report, signal });
};

describe('a folder whose share is not mounted', () => {
  const levels = {
    'the folder of the storage': () => unmount(),
    'a folder above it': () => renameSync(mount, join(above, 'server')),
    'a folder below it': () => {
      rmSync(join(mount, ROOT), { recursive: true });
      mkdirSync(join(mount, ROOT), { recursive: true });
    },
  };
  it.each(Object.entries(levels))('is known by its missing marker where it is %s', async (_, leave) => {
    mark(MINE);
    await open(MINE);
    leave();
    await expect(open(MINE)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/Storage s1 is not mounted here: .*\. Mount it/),
    });
  });

  it('loses no backup to a removal, which waits until it is mounted, and then removes it', async () => {
    mark(MINE);
    put(`${ROOT}/c1/p/backupmeta`, 'meta');
    unmount();
    const remove = () => runRemoval(storage(), [`${ROOT}/c1/p`], {}, { number: MINE, adopt: false });
    expect(await remove()).toMatchObject({
      $case: 'wait',
      value: {
        reason: { message: expect.stringContaining('not mounted here') },
        handBack: { storage: true, passing: true },
      },
    });
    rmSync(mount, { recursive: true });
    renameSync(join(above, 'server'), mount);
    expect(await remove()).toMatchObject({ $case: 'removed', value: { empty: [] } });
    expect(existsSync(join(mount, ROOT, 'c1/p'))).toBe(false);
    expect(await remove(), 'where nothing is found').toMatchObject({
      $case: 'removed',
      value: { empty: [`${ROOT}/c1/p`] },
    });
  });

  it('loses none to a removal either that it goes away from in the middle: what is not seen is not called removed', async () => {
    mark(MINE);
    put(`${ROOT}/c1/p/backupmeta`, 'meta');
    put(`${ROOT}/c1/p/1.sst`, 'data');
    const told = await runRemoval(storage(), [`${ROOT}/c1/p`], {}, { number: MINE, adopt: false }, unmount);
    expect(told).toMatchObject({
      $case: 'wait',
      value: { reason: { message: expect.stringContaining('not mounted here') } },
    });
    expect(existsSync(join(above, 'server', ROOT, 'c1/p/1.sst'))).toBe(true);
  });

  it('loses none to a removal that it goes away from and comes back to: what is there again was not removed', async () => {
    mark(MINE);
    const paths = ['p', 'q'].map((name) => `${ROOT}/c1/${name}`);
    for (const path of paths) put(`${path}/backupmeta`, 'meta');
    let announced = 0;
    const comesAndGoes = () => {
      announced += 1;
      if (announced === 1) {
        unmount();
        put(`${paths[1]}/beneath`, '');
      } else {
        renameSync(mount, join(above, 'beneath'));
        renameSync(join(above, 'server'), mount);
      }
    };
    const told = await runRemoval(storage(), paths, {}, { number: MINE, adopt: false }, comesAndGoes);
    expect(announced).toBe(2);
    expect(told).toMatchObject({
      $case: 'wait',
      value: { reason: { message: expect.stringContaining(`${paths[0]} was removed, and backupmeta is there`) } },
    });
  });

  it('is no good storage to a check, which leaves nothing in it', async () => {
    const { report } = registrar({ number: MINE });
    const steps = createCheckSteps();
    const work = {
      checkId: 'k',
      storage: storage(),
      env: {},
      steps,
      lost: signal,
      drain: signal,
      reportMarker: report,
    };
    await runCheckTask({ ...work, marker: { number: MINE, adopt: false } });
    expect(steps.kept.at(-1)).toMatchObject({
      name: 'reach',
      ok: false,
      message: expect.stringContaining('not mounted here'),
    });
    expect(existsSync(join(mount, ROOT))).toBe(false);
  });
});

it('another share in its place is told from it, and neither written to, removed from nor read', async () => {
  mark(OTHER);
  put(`${ROOT}/c1/p/backupmeta`, 'meta');
  for (const reading of [undefined, true] as const)
    await expect(open(MINE, reading)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('Another storage is mounted here than s1'),
    });
  const told = await runRemoval(storage(), [`${ROOT}/c1/p`], {}, { number: MINE, adopt: false });
  expect(told).toMatchObject({
    $case: 'wait',
    value: { reason: { message: expect.stringContaining('Another storage is mounted here') } },
  });
  expect(existsSync(join(mount, ROOT, 'c1/p/backupmeta'))).toBe(true);
  mark('damaged');
  await expect(open(MINE)).rejects.toThrow('is none of its markers');
});

it('a storage of which no number is known is used as before', async () => {
  await open('');
  mark(OTHER);
  await open('');
  await openKnownStorage({ storage: storage(), root: ROOT, marker: undefined }, {}, { signal });
});

it('a read-only copy without a marker is read all the same: records are rebuilt from it', async () => {
  put(`${ROOT}/c1/p/backupmeta`, 'meta');
  put(`${ROOT}/c1/p/tidemark.json`, '{}');
  await open(MINE, true);
  const steps = createCheckSteps();
  const offered: string[] = [];
  await runRebuildTask({
    checkId: 'k',
    storage: storage(),
    marker: { number: MINE, adopt: false },
    env: {},
    steps,
    lost: signal,
    drain: signal,
    client: {
      offerManifest: async ({ path }) => {
        offered.push(path ?? '');
        return { standing: TaskStanding.TASK_STANDING_HELD, verdict: 1, message: '' };
      },
    },
    check: { checkId: 'k', claim: 'c', fence: 1n },
    requestId: 'r',
    callMs: 1_000,
  });
  expect(offered).toEqual([`${ROOT}/c1/p`]);
  mark(OTHER);
  await runRebuildTask({
    checkId: 'k',
    storage: storage(),
    marker: { number: MINE, adopt: false },
    env: {},
    steps,
    lost: signal,
    drain: signal,
    client: { offerManifest: () => Promise.reject(new Error('nothing is offered')) },
    check: { checkId: 'k', claim: 'c', fence: 1n },
    requestId: 'r',
    callMs: 1_000,
  });
  expect(steps.ok).toBe(false);
});

describe('a storage that turned out to be good', () => {
  it('gets a marker by its first check, with the number that is on record from then on', async () => {
    const { record, report } = registrar();
    const steps = createCheckSteps();
    const work = {
      checkId: 'k',
      storage: storage(),
      env: {},
      steps,
      lost: signal,
      drain: signal,
      reportMarker: report,
    };
    await runCheckTask({ ...work, marker: { number: '', adopt: false } });
    expect(steps.kept.at(-1)).toMatchObject({
      name: 'marker',
      ok: true,
      message: expect.stringContaining('The storage is known by'),
    });
    expect(JSON.parse(readFileSync(join(mount, MARKER), 'utf8'))).toMatchObject({ storageId: 's1', number: MINE });
    expect(record.number).toBe(MINE);
    await open(MINE);
  });

  it('is known by the marker that is there already, and by one of its own where two share a folder', async () => {
    mark(OTHER);
    const registered = registrar();
    await settle(registered);
    expect(registered.record.number).toBe(OTHER);
    const files = await openKnownStorage({ ...known(''), storage: storage('s2') }, {}, { signal });
    await settleMarker({ ...known(''), storage: storage('s2'), files, report: registrar().report, signal });
    expect(existsSync(join(mount, ROOT, '.tidemark/s2.json'))).toBe(true);
    await open(OTHER);
  });

  it('gets none where a good backup on record is missing', async () => {
    put(`${ROOT}/c1/there/backupmeta`, 'meta');
    const registered = registrar({ backups: [`${ROOT}/c1/there`, `${ROOT}/c1/missing`] });
    expect(await settle(registered)).toMatch(/No marker was written, as the good backup .*c1\/missing is not there/);
    expect(existsSync(join(mount, MARKER))).toBe(false);
    expect(registered.record.number).toBe('');
    await expect(settle(registered, '', true)).rejects.toThrow('c1/missing is not there');
    put(`${ROOT}/c1/missing/backupmeta`, 'meta');
    expect(await settle(registered)).toContain('is known by');
  });

  it('is another one where a number was taken down first, and what was written there is taken back', async () => {
    const registered = registrar();
    const late = {
      ...registered,
      report: async (found: string) => {
        const answer = await registered.report(found === '' ? '' : OTHER);
        return found === '' ? answer : { ...answer, number: OTHER };
      },
    };
    await expect(settle(late)).rejects.toThrow('Another storage is mounted here');
    expect(existsSync(join(mount, MARKER))).toBe(false);
  });

  it('is adopted by an admin in place of the one that was known before, also without a marker', async () => {
    mark(OTHER);
    const registered = registrar({ number: MINE, instead: MINE });
    expect(await settle(registered, MINE, true)).toContain('is known by');
    expect(registered.record.number).toBe(OTHER);
    rmSync(join(mount, MARKER));
    expect(await settle(registrar({ number: OTHER, instead: OTHER }), OTHER, true)).toContain('is known by');
    await open(OTHER);
    mark('damaged');
    await settle(registrar({ number: OTHER, instead: OTHER }), OTHER, true);
    await open(OTHER);
  });

  it('is used without a marker where none can be written, and that is said', async () => {
    put(`${ROOT}/.tidemark`, 'a file in the way');
    expect(await settle(registrar())).toMatch(/could not be written, and the storage is used without a marker/);
  });
});
