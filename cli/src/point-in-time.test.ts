/** A point in time on the command line: whether it can be restored, and how its restore is asked for. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BACKUP, plan, RESTORE, restore } from './testing/records.ts';
import { type CommandLine, startCommandLine } from './testing/run.ts';

let line: CommandLine;
beforeEach(async () => {
  line = await startCommandLine();
});
afterEach(() => line[Symbol.asyncDispose]());

const AT = '2026-01-06T08:15:00.000Z';
const SOURCE = { clusterId: 'orders', pointInTime: AT };
const bodies = (call: string) =>
  line.asked.filter(({ method, path }) => `${method} ${path}` === call).map(({ body }) => body);

it('is planned and started with the cluster and the moment in the place of a backup', async () => {
  const log = { pointInTime: AT, tso: '1', generation: 2, storageId: 'nfs', path: 'orders/log-2-x' };
  const planned = plan('scratch');
  line.answers['POST /restores/plan'] = () => ({ plan: { ...planned, source: { ...planned.source, log } } });
  line.answers['POST /restores'] = () => ({ restoreId: RESTORE, workFlowId: RESTORE, restore: restore() });
  const wish = ['--of', 'orders', '--at', AT, '--into', 'orders-dr'];
  const { code, stdout } = await line.run(['restore', 'plan', ...wish]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/point in time +2026-01-06 .*, by log 2 \(nfs: orders\/log-2-x\)/);
  expect(bodies('POST /restores/plan')).toEqual([{ source: SOURCE, targetClusterId: 'orders-dr' }]);
  expect((await line.run(['restore', 'start', ...wish, '--yes'])).code).toBe(0);
  expect(bodies('POST /restores')).toMatchObject([{ source: SOURCE, targetClusterId: 'orders-dr' }]);
});

it.each([
  [['--of', 'orders'], '--of names the cluster'],
  [['--at', AT], '--at the moment'],
  [[BACKUP, '--of', 'orders', '--at', AT], 'Name a backup, or a moment'],
  [[], 'Name a backup, or a moment'],
  [['--of', 'orders', '--at', 'yesterday'], 'with its time of day'],
])('a restore of %j is wrong usage', async (words, sentence) => {
  expect(await line.run(['restore', 'plan', ...words, '--into', 'orders-dr'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(sentence),
  });
  expect(line.asked).toEqual([]);
});

const RANGES = [
  { from: '2026-01-06T08:00:00.000Z', to: '2026-01-06T09:00:00.000Z', generation: 2 },
  { from: '2026-01-05T08:00:00.000Z', to: '2026-01-05T09:00:00.000Z', generation: 1 },
];
const HOLES = [{ from: '2026-01-05T09:00:00.000Z', to: '2026-01-06T08:00:00.000Z', why: 'stopped' }];

it.each([
  [AT, 0, /orders can be brought back to 2026-01-06 .*, by log 2\..*restore plan --of orders --at 2026-01-06T08:15:00/],
  [
    '2026-01-06T07:00:00Z',
    1,
    /cannot be .*\(stopped\)\. The nearest moment is before it 2026-01-05 .* and after it 2026-01-06/,
  ],
  ['2026-01-06T09:00:01Z', 1, /cannot be .*\. The nearest moment is before it 2026-01-06 [0-9:]+\.$/m],
  ['2026-01-01T00:00:00Z', 1, /cannot be .*\. The nearest moment is after it 2026-01-05 [0-9:]+\.$/m],
])('of a moment is said whether it can be restored: %s', async (at, code, sentence) => {
  line.answers['GET /clusters/orders/recovery-points'] = () => ({
    ranges: RANGES,
    holes: HOLES,
    snapshots: [],
  });
  const told = await line.run(['recovery', 'orders', '--at', at]);
  expect(told.stderr).toMatch(sentence);
  expect(told.code).toBe(code);
});
