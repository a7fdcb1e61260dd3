/** The command line as people call it, as processes against a whole Tidemark. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type DemoCluster, demoCluster } from '@tidemark/demo-br/demo-cluster';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'cli', 'src', 'main.ts');
const SIZE = { regions: 6, bytesPerFile: 200 };

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe('the command line', () => {
  let tidemark: Tidemark;
  let folder: string;
  let source: string;
  let target: string;
  let rows: DemoCluster;
  beforeAll(async () => {
    tidemark = await startTidemark();
    folder = tidemark.stack.dataDir;
    writeFileSync(join(folder, 'token'), tidemark.stack.token, { mode: 0o600 });
    source = await tidemark.cluster('orders', { pd: ['10.0.0.1:2379'], labels: { env: 'prod' } });
    target = await tidemark.cluster('drill', { pd: ['10.0.0.2:2379'], purpose: 'scratch' });
    rows = demoCluster(join(folder, 'demo-clusters'), ['10.0.0.2:2379'], SIZE);
    tidemark.demo({ seconds: 0.5, progressIntervalSeconds: 0.1, ...SIZE }, source);
    await performTask(rows, { verb: 'empty' }, AbortSignal.timeout(60_000));
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const start = (...args: string[]) => {
    const { PATH, NODE_COMPILE_CACHE } = process.env;
    const env = {
      PATH,
      NODE_COMPILE_CACHE,
      XDG_CONFIG_HOME: folder,
      INIT_CWD: folder,
      TIDEMARK_TOKEN_FILE: 'token',
      TIDEMARK_URL: tidemark.stack.url,
    };
    return spawn(process.execPath, [MAIN, ...args], { env });
  };
  const run = async (...args: string[]): Promise<Outcome> => {
    const child = start(...args);
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await closed, stdout, stderr };
  };
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(...args, '-o', 'json');
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout);
  };

  it('takes a person from a first look to a restored cluster', async () => {
    // What is known of the fleet is some seconds old.
    await vi.waitFor(
      async () =>
        expect((await run('status')).stdout).toMatch(/^\d clusters: none is late\.[\s\S]*\norders-\w+ +no plan/),
      { timeout: 30_000, interval: 500 },
    );

    const made = await run('backup', 'start', source, '--wait');
    expect(made.code, made.stderr).toBe(0);
    expect(made.stderr).toMatch(/succeeded: .* files, after /);
    const backupId = made.stdout.trim();
    expect((await json('backup', 'get', backupId)).backup).toMatchObject({ id: backupId, state: 'Succeeded' });
    expect((await run('backup', 'logs', backupId)).stdout).toMatch(
      /^==> attempt 1, br .*\n[\s\S]*Full Backup success/m,
    );

    const verified = await run('backup', 'verify', backupId, '--wait');
    expect(verified.code, verified.stderr).toBe(0);
    expect(verified.stdout).toMatch(/Good: Every file is byte for byte/);

    const restored = await run('restore', 'start', backupId, '--into', target, '--yes', '--wait');
    expect(restored.code, restored.stderr).toBe(0);
    expect((await json('restore', 'list', '--into', target)).restores).toMatchObject([
      { state: 'Succeeded', targetState: 'Restored' },
    ]);

    expect((await run('backup', 'delete', backupId, '--yes')).code).toBe(0);
    const { backupRecords } = await json('backup', 'list', '--cluster', source, '--deleted');
    expect(backupRecords).toMatchObject([{ id: backupId, deletion: { by: expect.stringMatching(/./) } }]);
  });

  it('applies a file once: the first time it makes what is in it, the second there is nothing to do', async () => {
    const file = join(folder, 'fleet.yaml');
    const write = (extra = '') =>
      writeFileSync(
        file,
        `kind: Strategy
clusterId: stock
backupDate: sunday, monday
period: "1:00-3:00"
retention: {keepLast: 3}
---
kind: FleetStrategy
name: nightly
selector: {team: none}
rule: nightly
backupDate: Monday
period: "2:00-3:00"
---
kind: Cluster
id: stock
pd: ["10.0.0.9:2379"]
version: 8.5.0
storageId: local
labels: {env: prod}
${extra}`,
      );
    write('verison: 8.5.1\n');
    const typo = await run('apply', '-f', 'fleet.yaml');
    expect([typo.code, typo.stderr]).toEqual([
      2,
      expect.stringContaining('fleet.yaml:20: Cluster stock has no field "verison"'),
    ]);

    write(`---
kind: Strategy
clusterId: stock
rule: weekly
period: "25:00-5:00"
---
kind: Strategy
clusterId: stock
rule: monthly
storageId: nowhere
---
kind: FleetStrategy
name: weekend
selector: {team: none}
backupDate: Fryday
storageId: nowhere
`);
    const refused = await run('apply', '-f', 'fleet.yaml');
    expect([refused.code, refused.stderr.split('\n').sort()]).toEqual([
      2,
      [
        '',
        'Nothing was changed.',
        expect.stringMatching(/^fleet\.yaml:24: Strategy stock weekly: period "25:00-5:00" is no window/),
        expect.stringMatching(/^fleet\.yaml:29: Strategy stock monthly: There is no storage nowhere/),
        expect.stringMatching(/^fleet\.yaml:34: FleetStrategy weekend: backupDate "Fryday" is no weekday/),
      ],
    ]);
    for (const path of ['/clusters/stock', '/strategies/nightly', '/strategies/weekend'])
      expect((await tidemark.call('GET', path)).status, path).toBe(404);

    write();
    const applied = await run('apply', '-f', 'fleet.yaml');
    expect(applied.code, applied.stderr).toBe(0);
    expect(applied.stderr).toContain('3 changes made.');
    const again = await run('diff', '-f', 'fleet.yaml');
    expect(again.code, again.stdout).toBe(0);
    expect((await json('strategy', 'get', 'stock')).strategy).toMatchObject({
      backupDate: 'Sunday,Monday',
      retention: { keepLast: 3 },
    });

    writeFileSync(file, 'kind: Strategy\nclusterId: stock\nrevision: 7\nperiod: "1:00-2:00"\n');
    expect(await run('apply', '-f', 'fleet.yaml')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('revision 7'),
    });
    expect((await run('cluster', 'remove', 'stock', '--yes')).code).toBe(0);
  });

  it('says what is wrong around it, and with a token that may not look everywhere', async () => {
    const doctor = await run('doctor', '--check-storages');
    expect(doctor.stdout).toMatch(/reach +ok/);
    expect(doctor.stdout).toMatch(/storages +ok +1 storage; workers tried them/);
    writeFileSync(join(folder, 'token'), 'nobody');
    expect((await run('status')).code).toBe(4);
    writeFileSync(join(folder, 'token'), tidemark.stack.token);
  });

  // Against a server of the test's own it is tried each time.
  it.runIf(process.env.TIDEMARK_LONG_TESTS === '1')(
    'goes on waiting where the gateway is restarted in the middle',
    async () => {
      tidemark.demo({ seconds: 4, progressIntervalSeconds: 0.1, ...SIZE }, source);
      const child = start('backup', 'start', source, '--wait');
      const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
      const told = text(child.stderr);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await tidemark.brStarted(source, 2);
      const gateway = tidemark.stack.processes.find(({ name }) => name === 'gateway');
      gateway?.kill('SIGKILL');
      await vi.waitFor(() => expect(gateway?.running).toBe(false), { timeout: 10_000 });
      await gateway?.start();
      expect([await closed, await told]).toEqual([
        0,
        expect.stringMatching(/does not answer any more; [\s\S]*answers again\.[\s\S]*succeeded/),
      ]);
    },
  );
});
