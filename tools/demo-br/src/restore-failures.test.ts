import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BrError } from './br-error.ts';
import { demoCluster } from './demo-cluster.ts';
import { type FailureName, type NamedFailure, namedFailure, RESTORE_FAILURES } from './named-failures.ts';
import { TARGET_PD, type TestStorage, testStorage } from './test-run.ts';

// The failures that a script can name for a restore: at BR's stage, in BR's words, with what is left then.

let storage: TestStorage;
beforeAll(async () => {
  storage = testStorage();
  expect((await storage.backup('x').ended).code).toBe(0);
});
afterAll(() => storage[Symbol.asyncDispose]());

/** Those of restores alone, and some that a backup may have too. */
const NAMES = [...Object.keys(RESTORE_FAILURES), 'kv-disk-full', 'unavailable', 'access-denied'] as FailureName[];

test.each(NAMES)('%s', async (name) => {
  const { text, code: errorCode, stage }: NamedFailure = namedFailure(name);
  const root = join(storage.root, `clusters-${name}`);
  const target = demoCluster(root, [TARGET_PD], { regions: 1, bytesPerFile: 1 });
  await target.createDatabase('test');
  storage.script({ restore: { outcome: { kind: 'fail', name, at: 0.5 } } });
  const { code, stdout, stderr } = await storage.restore('x', [], { DEMO_BR_CLUSTERS: root }).ended;
  expect(code).toBe(1);
  expect(stderr).toContain(`\nError: ${new BrError(text, errorCode).message}\n`);
  expect(stdout.includes('Full Restore failed summary')).toBe(stage !== 'etcd');
  const { schedulersPausedUntil, restoresUntil } = await target.readState();
  expect(schedulersPausedUntil > 0).toBe(['paused', 'tables', 'work', 'end'].includes(stage));
  expect(restoresUntil).toEqual({});
  expect((await target.tables('shop')).length > 0).toBe(['tables', 'work', 'end'].includes(stage));
});

test('PD that cannot be reached: after its time, without a summary, with nothing left', async () => {
  const root = join(storage.root, 'clusters-pd');
  storage.script({ restore: { outcome: { kind: 'fail', name: 'pd-unreachable' }, waitScale: 0.1 } });
  const before = performance.now();
  const { code, stdout, stderr } = await storage.restore('x', [], { DEMO_BR_CLUSTERS: root }).ended;
  expect(performance.now() - before).toBeGreaterThan(500);
  expect(code).toBe(1);
  expect(stderr).toContain(
    '\nError: context deadline exceeded: connection error: desc = "transport: Error while dialing: dial tcp 10.0.0.2:2379: connect: connection refused"\n',
  );
  expect(stdout).not.toContain('summary');
  expect(await demoCluster(root, [TARGET_PD], { regions: 1, bytesPerFile: 1 }).isTouched()).toBe(false);
});
