import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type TestStorage, testStorage } from './test-run.ts';

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

test('--status-addr serves a goroutine dump, also while the run hangs, and nothing else', async () => {
  storage.script({ outcome: 'hang' });
  const run = storage.backup('x', ['--status-addr', '127.0.0.1:0']);
  const bound = /^bound pprof to addr (127\.0\.0\.1:\d+)$/m;
  await vi.waitFor(() => expect(run.output.stderr).toMatch(bound), { timeout: 20_000 });
  const [, address] = bound.exec(run.output.stderr) ?? [];
  const dump = await fetch(`http://${address}/debug/pprof/goroutine?debug=2`);
  expect([dump.status, await dump.text()]).toEqual([200, expect.stringMatching(/^goroutine 1 \[.*\]:\ndemo-br\./)]);
  expect((await fetch(`http://${address}/metrics`)).status).toBe(404);
  run.child.kill('SIGTERM');
  expect((await run.ended).code).toBe(1);
});

test('it does not keep a finished run alive', async () => {
  expect((await storage.backup('x', ['--status-addr', '127.0.0.1:0']).ended).code).toBe(0);
});

test('SIGUSR1 serves it too', async () => {
  storage.script({ outcome: 'hang' });
  const run = storage.backup('x');
  await vi.waitFor(() => expect(run.output.stdout).toContain('Backup Ranges Started'), { timeout: 20_000 });
  run.child.kill('SIGUSR1');
  await vi.waitFor(() => expect(run.output.stderr).toContain('\nbound pprof to addr 127.0.0.1:'), { timeout: 20_000 });
  expect(run.output.stderr).not.toContain('Debugger');
});

test('an address that cannot be listened on is a failure before the log', async () => {
  const { code, stderr, stdout } = await storage.backup('x', ['--status-addr', 'nowhere']).ended;
  expect([code, stderr]).toEqual([1, expect.stringContaining('\nError: failed to start pprof: ')]);
  expect(stdout).not.toContain('summary');
});
