/** What an admin says was moved: what a check of the storage looks for, where it is now, in a real folder. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type OlderPlace, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCheckSteps } from './check-steps.ts';
import { runCheckTask } from './check-task.ts';
import type { ReportMove } from './move-proof.ts';

const ROOT = 'nfs/em/backup';
const MARKER = `${ROOT}/.tidemark/s1.json`;
const [MINE, OTHER] = ['1'.repeat(32), '2'.repeat(32)];
const GOOD = [`${ROOT}/c1/new`, `${ROOT}/c1/old`];
const signal = AbortSignal.timeout(120_000);

let mount: string;
beforeEach(() => {
  mount = mkdtempSync(join(tmpdir(), 'tidemark-moved-'));
});
afterEach(() => rmSync(mount, { recursive: true, force: true }));

const put = (name: string, content: string) => {
  mkdirSync(dirname(join(mount, name)), { recursive: true });
  writeFileSync(join(mount, name), content);
};
const mark = (number: string, root = ROOT) =>
  put(`${root}/.tidemark/s1.json`, JSON.stringify({ schemaVersion: 1, storageId: 's1', number }));
const older = (number: string, root = ROOT, backups = GOOD): OlderPlace => ({ place: root, root, number, backups });

/** Checks the folder, which is known by a number or none; all backups prove a move, or the number where there are none. */
async function check(places: OlderPlace[], known = '') {
  const told: Parameters<ReportMove>[0][] = [];
  const reportMove: ReportMove = async (found) => {
    told.push(found);
    const wanted = places.find(({ place }) => place === found.place);
    const good = wanted?.backups ?? [];
    const marked = found.number !== '' && found.number === wanted?.number;
    const proven = good.length > 0 ? found.backups.length === good.length : marked;
    const message = proven ? `${found.place} is here.` : `Nothing shows that ${found.place} is here.`;
    return { standing: TaskStanding.TASK_STANDING_HELD, proven, message, number: proven ? found.number : known };
  };
  const settled: string[] = [];
  const reportMarker = async (number: string) => {
    if (number !== '') settled.push(number);
    return { standing: TaskStanding.TASK_STANDING_HELD, number, candidate: OTHER, backups: [] };
  };
  const steps = createCheckSteps();
  const storage = Storage.create({ id: 's1', root: ROOT, location: { $case: 'local', value: { path: mount } } });
  const marker = { number: known, adopt: false };
  const work = { checkId: 'k', storage, env: {}, steps, lost: signal, drain: signal, marker, reportMarker, reportMove };
  await runCheckTask({ ...work, move: { places } });
  return { steps: steps.kept, last: steps.kept.at(-1), told, settled };
}

it('is looked for by its marker and its newest good backups, before the storage is marked', async () => {
  mark(MINE);
  for (const path of GOOD) put(`${path}/backupmeta`, 'meta');
  const { steps, told, last } = await check([older(MINE)]);
  expect(told).toEqual([{ place: ROOT, number: MINE, backups: GOOD }]);
  expect(steps.map(({ name }) => name)).toEqual([
    'credentials',
    'reach',
    'write',
    'list',
    'read',
    'delete',
    'gone',
    'traits',
    'moved',
    'marker',
  ]);
  expect(steps.at(-2)).toMatchObject({ ok: true, message: `${ROOT} is here.` });
  expect(last).toMatchObject({ ok: true, message: `The storage is known by ${MARKER}.` });
});

it('that is not there, or not all of it, fails the check, which then marks nothing', async () => {
  put(`${GOOD[0]}/data.sst`, 'a backup without its backupmeta is none');
  put(`${GOOD[1]}/backupmeta`, 'meta');
  const { last, told } = await check([older(MINE)]);
  expect(told).toEqual([{ place: ROOT, number: '', backups: [GOOD[1]] }]);
  expect(last).toMatchObject({ name: 'moved', ok: false, message: `Nothing shows that ${ROOT} is here.` });
  expect(existsSync(join(mount, MARKER))).toBe(false);
});

it('is looked for below each root, and fails nothing while one of the places is there', async () => {
  mark(OTHER);
  mark(MINE, 'old/root');
  put('old/root/c1/p/backupmeta', 'meta');
  const { steps, told } = await check([older(MINE, 'old/root', ['old/root/c1/p']), older('', ROOT, [])]);
  expect(told).toEqual([
    { place: 'old/root', number: MINE, backups: ['old/root/c1/p'] },
    { place: ROOT, number: OTHER, backups: [] },
  ]);
  expect(steps.find(({ name }) => name === 'moved')).toMatchObject({
    ok: true,
    message: `old/root is here. Nothing shows that ${ROOT} is here.`,
  });
});

it('may have its marker over one that an earlier check wrote, and no other may', async () => {
  mark(MINE);
  for (const path of GOOD) put(`${path}/backupmeta`, 'meta');
  const { steps, settled } = await check([older(MINE)], OTHER);
  expect(
    steps.every(({ ok }) => ok),
    JSON.stringify(steps),
  ).toBe(true);
  expect(settled).toEqual([]);
  expect(JSON.parse(readFileSync(join(mount, MARKER), 'utf8'))).toMatchObject({ number: MINE });
  for (const places of [[older(OTHER)], [older('')], [older(MINE, 'old/root')], []])
    expect((await check(places, OTHER)).last).toMatchObject({
      name: 'reach',
      ok: false,
      message: expect.stringContaining('Another storage is mounted here'),
    });
});

it('is nothing where all backups are where the storage is', async () => {
  const { steps } = await check([]);
  expect(steps.find(({ name }) => name === 'moved')).toMatchObject({
    ok: true,
    message: 'All backups of storage s1 are where it is now.',
  });
});
