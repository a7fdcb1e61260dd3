/** Ids that begin with a dash, as one of 64 backups has. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { backup } from './testing/records.ts';
import { type CommandLine, startCommandLine } from './testing/run.ts';

const DASHED = '-8n7Ew_XCePyrNB50fZ_Bg';
const TWO_DASHES = '--n7Ew_XCePyrNB50fZ_Bg';
const AS_AN_OPTION = '-on7Ew_XCePyrNB50fZ_Bg';

let line: CommandLine;
beforeEach(async () => {
  line = await startCommandLine();
});
afterEach(() => line[Symbol.asyncDispose]());

it.each([
  ['backup', 'get', DASHED, '-o', 'json'],
  ['-o', 'json', 'backup', 'get', DASHED],
  ['backup', 'get', '-o', 'json', DASHED],
  ['backup', 'get', TWO_DASHES],
  ['backup', 'get', AS_AN_OPTION],
  ['backup', 'get', '--', DASHED],
])('takes them for ids: %s %s %s %s', async (...args) => {
  const id = args.find((arg) => arg.length === DASHED.length) ?? '';
  line.answers[`GET /backups/${id}`] = () => ({ backup: { ...backup(), id } });
  const { code, stderr } = await line.run(args);
  expect(code, stderr).toBe(0);
  expect(line.asked.map(({ path }) => path)).toEqual([`/backups/${id}`]);
});

it('takes them for values of options', async () => {
  await line.run(['backup', 'list', '--cluster', DASHED]);
  expect(line.asked.map(({ path }) => path).join()).toContain(`clusterId=${DASHED}`);
});

it('names an option that it does not know, also one as long as an id', async () => {
  expect(await line.run(['backup', 'get', 'b1', '--acknowledge-findin'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("unknown option '--acknowledge-findin'"),
  });
});
