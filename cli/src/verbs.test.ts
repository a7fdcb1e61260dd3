/** What verbs ask of the API, and what they show of its answers. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BACKUP, backup, cluster, plan, RESTORE, restore } from './testing/records.ts';
import { type CommandLine, events, fail, startCommandLine } from './testing/run.ts';

let line: CommandLine;
beforeEach(async () => {
  line = await startCommandLine();
});
afterEach(() => line[Symbol.asyncDispose]());
const OPS = { secrets: { envPrefix: 'OPS_' } };
const sent = (call: string) =>
  line.asked.filter(({ method, path }) => `${method} ${path}` === call).map(({ body }) => body);

it('backup list narrows by what it is given, and says who started each', async () => {
  line.answers['GET /backups'] = () => ({ backupRecords: [{ ...backup(), origin: 'log' }], page: {} });
  const args = ['--cluster', 'orders', '--state', 'Succeeded', '--origin', 'log', '--damaged', '-o', 'wide'];
  const { code, stdout } = await line.run(['backup', 'list', ...args]);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/ORIGIN[\s\S]* log /)]);
  const asked = new URLSearchParams(line.asked[0]?.path.split('?')[1]);
  expect(Object.fromEntries(asked)).toMatchObject({
    ...{ clusterId: 'orders', state: 'Succeeded', origin: 'log', damaged: 'true' },
  });
});

describe('restore start', () => {
  const START = ['restore', 'start', BACKUP, '--into', 'orders-dr'];
  const planned = (purpose: 'dr' | 'scratch') => {
    line.answers['POST /restores/plan'] = () => ({ plan: plan(purpose) });
    line.answers['POST /restores'] = () => ({ restoreId: RESTORE, workFlowId: RESTORE, restore: restore() });
  };

  it('shows the plan on a terminal, has the target typed, and names the plan that was looked at', async () => {
    planned('dr');
    const { code, stdout, stderr } = await line.run([...START, '--filter', 'shop.*'], {
      columns: 100,
      typed: 'orders-dr',
    });
    expect([code, stdout]).toEqual([0, `${RESTORE}\n`]);
    expect(stderr).toMatch(/sameCluster +ok: The target is another cluster\.[\s\S]*Type orders-dr to go on:/);
    expect(sent('POST /restores')).toEqual([
      {
        backupId: BACKUP,
        targetClusterId: 'orders-dr',
        filter: ['shop.*'],
        planHash: '3f9c0d5e7a1b2c4d',
        confirm: 'orders-dr',
        acknowledge: [],
      },
    ]);
  });

  it('wants elsewhere the hash of a plan that somebody looked at, unless the target is a scratch cluster', async () => {
    planned('dr');
    const unseen = await line.run([...START, '--yes']);
    expect(unseen).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`tidemark restore plan ${BACKUP} --into orders-dr`),
    });
    expect(sent('POST /restores')).toEqual([]);
    expect((await line.run([...START, '--yes', '--plan', 'another'])).code).toBe(0);
    expect(sent('POST /restores')).toEqual([expect.objectContaining({ planHash: 'another', confirm: 'orders-dr' })]);
    planned('scratch');
    expect((await line.run([...START, '--yes'])).code).toBe(0);
  });

  it('says after --wait what to do about a target that holds a part of the data', async () => {
    planned('scratch');
    line.answers[`GET /restores/${RESTORE}/events`] = (_, response) => {
      const send = events(response);
      send(
        'restore',
        restore({
          state: 'Running',
          targetState: 'Partial',
          progress: { step: 'Download', percent: 40, secondsLeft: 90 },
        }),
      );
      send(
        'restore',
        restore({
          state: 'Failed',
          targetState: 'Partial',
          advice: 'Resume it.',
          reason: { code: 'X', message: 'The disk is full.' },
        }),
      );
      return undefined;
    };
    const { code, stderr } = await line.run([...START, '--yes', '--wait']);
    expect(code).toBe(1);
    expect(stderr).toContain('Running, Download, 40 %, 2 min left\n');
    expect(stderr).toContain('failed: The disk is full.\nThe target orders-dr is Partial.\nResume it.\n');
  });
});

describe('restore', () => {
  it('plan fails where something stands in the way', async () => {
    const checks = [{ name: 'sameCluster', result: 'blocked', message: 'It is the cluster that was backed up.' }];
    line.answers['POST /restores/plan'] = () => ({ plan: plan('dr', { checks }) });
    const { code, stdout } = await line.run([
      'restore',
      'plan',
      BACKUP,
      '--into',
      'orders-dr',
      '--no-stats',
      '--br-option',
      'checksum-concurrency=8',
    ]);
    expect([code, stdout]).toEqual([1, expect.stringContaining('blocked: It is the cluster')]);
    expect(sent('POST /restores/plan')).toEqual([
      { backupId: BACKUP, targetClusterId: 'orders-dr', loadStats: false, brOptions: { 'checksum-concurrency': '8' } },
    ]);
  });

  it('release wants to know whether the target was cleaned', async () => {
    line.answers[`GET /restores/${RESTORE}`] = () => ({
      restore: restore({ state: 'Failed', targetState: 'Partial' }),
    });
    line.answers[`POST /restores/${RESTORE}/release`] = () => ({ restore: restore({ targetState: 'Released' }) });
    const release = ['restore', 'release', RESTORE];
    expect(await line.run([...release, '--yes'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('restore cleanup'),
    });
    expect((await line.run([...release, '--cleaned', '--not-cleaned', '--yes'])).code).toBe(2);
    expect((await line.run([...release, '--not-cleaned', '--yes', '--note', 'given up'])).code).toBe(0);
    expect(sent(`POST /restores/${RESTORE}/release`)).toEqual([
      { targetCleaned: false, hostDead: false, note: 'given up' },
    ]);
  });

  it('cleanup lists what was left behind with its commands', async () => {
    const cleanup = [{ what: 'checkpoint', message: 'Databases of the checkpoint.', command: 'DROP DATABASE x' }];
    line.answers[`GET /restores/${RESTORE}`] = () => ({ restore: restore({ cleanup, needsCleaning: true }) });
    const { stdout } = await line.run(['restore', 'cleanup', RESTORE]);
    expect(stdout).toMatch(/left behind +checkpoint: Databases of the checkpoint\.\n +DROP DATABASE x\n/);
  });
});

it('cluster list passes its filters on', async () => {
  line.answers['GET /clusters'] = () => ({ clusters: [cluster()] });
  const { stdout } = await line.run(['cluster', 'list', '--label', 'env=prod', '--text', 'ord']);
  expect(stdout).toMatch(/^ID .*\norders +shop +8\.5\.0 +nfs +production +env=prod\n$/);
  expect(line.asked[0]?.path).toBe('/clusters?label=env%3Dprod&text=ord');
});

describe('a registration', () => {
  it('that is changed keeps what was not named, and one that is added replaces none', async () => {
    line.answers['GET /clusters/orders'] = () => ({ cluster: cluster({ tls: { ca: '/ca', cert: '', key: '' } }) });
    line.answers['PUT /clusters/orders'] = () => ({ cluster: cluster() });
    expect((await line.run(['cluster', 'set', 'orders', '--version', '8.5.1', '--label', 'team=a=b'])).code).toBe(0);
    expect(sent('PUT /clusters/orders?revision=1')).toEqual([
      {
        ...{ name: 'shop', pd: ['10.0.0.1:2379'], version: '8.5.1', pool: 'default', storageId: 'nfs' },
        ...{ labels: { team: 'a=b' }, restore: { strictLoss: false }, purpose: 'production', tls: { ca: '/ca' } },
      },
    ]);
    const add = ['cluster', 'add', 'orders', '--pd', 'h:1', '--storage', 'nfs'];
    expect(await line.run(add)).toMatchObject({ code: 1, stderr: expect.stringContaining('cluster set orders') });
    expect(sent('PUT /clusters/orders?revision=1')).toHaveLength(1);
  });

  it('of a storage takes a folder, or an address as br writes it', async () => {
    line.answers['PUT /storages/nfs'] = (_, response) => fail(response, 400, 'No.');
    await line.run(['storage', 'add', 'nfs', '/mnt/backup', '--max-concurrent', '4']);
    await line.run(['storage', 'add', 'nfs', 's3://b/p', '--env-prefix', 'PROD_', '--usable-by-label', 'team=shop']);
    expect(sent('PUT /storages/nfs?revision=0')).toEqual([
      { type: 'local', path: '/mnt/backup', maxConcurrent: 4 },
      { url: 's3://b/p', credentials: { envPrefix: 'PROD_' }, usableBy: { clusters: [], labels: { team: 'shop' } } },
    ]);
  });

  it('that the API does not take is told with its sentence', async () => {
    line.answers['PUT /strategies/x'] = (_, response) => fail(response, 400, 'strategy.selector must be an object.');
    expect(await line.run(['strategies', 'set', 'x', '--days', 'Monday'])).toMatchObject({
      code: 2,
      stderr: 'strategy.selector must be an object.\n',
    });
  });
});

describe('a strategy', () => {
  it('is saved with what is named alone', async () => {
    line.answers['PUT /clusters/orders/strategies/nightly'] = (_, response) => fail(response, 400, 'No.');
    const set = (...options: string[]) => line.run(['strategy', 'set', 'orders', '--rule', 'nightly', ...options]);
    await set('--days', '', '--keep-last', '7', '--weekly', '4');
    await set('--keep-everything', '--verify-every', 'never', '--not-paused');
    await set('--verify-every', 'P7D', '--verify-sample', '0.1', '--window-end', 'stop');
    await set('--br-options', '{"rateLimit":100}');
    await set('--br-options', 'none');
    expect(sent('PUT /clusters/orders/strategies/nightly').map(({ strategy }) => strategy)).toEqual([
      { backupDate: '', retention: { keepLast: 7, weekly: 4 } },
      { paused: false, retention: null, verify: null },
      { windowEnd: 'stop', verify: { every: 'P7D', sample: 0.1 } },
      { brOptions: { rateLimit: 100 } },
      { brOptions: null },
    ]);
  });

  it.each([
    [['--keep-everything', '--daily', '3'], /exclude each other/],
    [['--paused', '--not-paused'], /exclude each other/],
    [['--verify-sample', '0.1'], /--verify-every says how often/],
    [['--verify-sample', 'half'], /a part from/],
    [['--br-options', '[1]'], /must be JSON such as/],
    [['--br-options', 'ratelimit=1'], /must be JSON such as/],
    [['--window-end', 'later'], /Allowed choices are letRun, stop/],
  ])('with %j is wrong usage', async (options, sentence) => {
    const { code, stderr } = await line.run(['strategy', 'set', 'orders', ...options]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(sentence)]);
    expect(line.asked).toEqual([]);
  });
});

describe('backup verify --wait', () => {
  it('fails where the backup is damaged, and names the files', async () => {
    const verification = {
      ...{
        state: 'Damaged' as const,
        level: 'bytes' as const,
        sample: 1,
        verdict: '1 file is damaged.',
        problemCount: 1,
        rateLimit: 0,
      },
      ...{
        problems: [{ kind: 'content', name: 'a.sst', why: 'it has other bytes' }],
        damaged: true,
        verifiedAt: '',
        requestTime: '',
      },
    };
    line.answers[`POST /backups/${BACKUP}/verify`] = () => ({ backup: backup() });
    line.answers[`GET /backups/${BACKUP}/events`] = (_, response) => {
      events(response)('backup', backup({ verification }));
      return undefined;
    };
    const { code, stdout } = await line.run(['backup', 'verify', BACKUP, '--wait']);
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/Damaged: 1 file is damaged\.\n +content +a\.sst: it has other bytes/),
    ]);
  });
});

describe('search', () => {
  const hit = { kind: 'backup' as const, id: BACKUP, clusterId: 'orders', title: 'Succeeded', time: '', exact: true };

  it('shows what was found, and what could not be looked for', async () => {
    line.answers['GET /search'] = () => ({ hits: [hit], more: true, incomplete: ['rule'] });
    const { code, stdout, stderr } = await line.run(['search', 'a&b=c']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^KIND +ID[\s\S]*backup +h6Ih\S+ +orders +Succeeded/)]);
    expect(stderr).toMatch(/could not be looked for just now: rule[\s\S]*a longer text/);
    expect(line.asked[0]?.path).toBe('/search?text=a%26b%3Dc');
  });

  it('fails where nothing is found, with the answer all the same for scripts', async () => {
    line.answers['GET /search'] = () => ({ hits: [], more: false, incomplete: [] });
    expect(await line.run(['search', 'nothing'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('begins with "nothing"'),
    });
    const { code, stdout } = await line.run(['search', 'nothing', '-o', 'json']);
    expect([code, JSON.parse(stdout).hits]).toEqual([1, []]);
    line.answers['GET /search'] = () => ({ hits: [], more: false, incomplete: ['rule', 'strategy'] });
    const { code: later, stderr } = await line.run(['search', 'nothing']);
    expect([later, stderr]).toEqual([3, expect.not.stringContaining('Nothing')]);
  });
});

describe('token', () => {
  const token = {
    ...{ id: '3f9c0a51b2de4c7a90d15c22', name: 'ci', role: 'operator' as const, clusters: ['orders', 'stock'] },
    ...{ labels: {}, createTime: '2026-01-06T08:00:00.000Z', createdBy: 'admin' },
  };
  const ended = { ...token, id: 'aa', clusters: ['*'], expireTime: '2020-01-01T00:00:00.000Z' };
  const CREATE = ['token', 'create', 'ci', '--role', 'operator', '--cluster', 'orders', '--cluster', 'stock'];
  beforeEach(() => {
    line.answers['POST /tokens'] = () => ({ token, secret: 'tdms_word' });
    line.answers['GET /tokens'] = () => ({ tokens: [token, ended] });
  });

  it('create prints the secret once and alone, and asks for what was said', async () => {
    const { code, stdout, stderr } = await line.run([...CREATE, '--expires', '2100-01-01']);
    expect([code, stdout]).toEqual([0, 'tdms_word\n']);
    expect(stderr).toMatch(/Made the token ci \(3f9c0a51b2de4c7a90d15c22\): operator of orders,stock\./);
    expect(sent('POST /tokens')).toEqual([
      { name: 'ci', role: 'operator', clusters: ['orders', 'stock'], expireTime: '2100-01-01T00:00:00.000Z' },
    ]);
    expect(JSON.parse((await line.run([...CREATE, '-o', 'json'])).stdout)).toEqual({ token, secret: 'tdms_word' });
  });

  it('create writes the secret to a file that only its owner reads, and over none that is there', async () => {
    const file = join(line.folder, 'ci.token');
    const { code, stdout, stderr } = await line.run([...CREATE, '--secret-file', 'ci.token']);
    expect([code, stdout, readFileSync(file, 'utf8')]).toEqual([0, `${token.id}\n`, 'tdms_word\n']);
    expect(stderr + stdout).not.toContain('tdms_word');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const again = await line.run([...CREATE, '--secret-file', 'ci.token', '-o', 'json']);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('is there already')]);
    expect(sent('POST /tokens')).toHaveLength(1);
    line.answers['POST /tokens'] = (_, response) => fail(response, 403, 'This needs the role admin.');
    expect((await line.run([...CREATE, '--secret-file', 'other'])).code).toBe(4);
    expect(existsSync(join(line.folder, 'other'))).toBe(false);
  });

  it('create with --name, and list and revoke with --file, are of the tokens file, as before', async () => {
    const options = ['--role', 'viewer', '--clusters', '*', '--file', 'tokens.json'];
    const { code, stdout } = await line.run(['token', 'create', '--name', 'ci', ...options]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^tdm_/)]);
    expect((await line.run(['token', 'file', 'list', '--file', 'tokens.json'])).stdout).toMatch(/ ci +viewer +\*/);
    expect((await line.run(['token', 'create', 'ci', ...options])).code).toBe(2);
    expect((await line.run(['token', 'list', '--file', 'tokens.json'])).stdout).toMatch(/ ci +viewer +\*/);
    expect((await line.run(['token', 'revoke', 'ci', '--file', 'tokens.json'])).code).toBe(0);
    expect(line.asked).toEqual([]);
    expect(await line.run(['token', 'revoke', 'ci', '--yes'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('tidemark token file revoke ci'),
    });
  });

  it('list shows the tokens that were made by calls, and revoke takes one back', async () => {
    const { stdout } = await line.run(['token', 'list']);
    expect(stdout).toMatch(
      /3f9c0a51b2de4c7a90d15c22 +ci +operator +orders,stock +never\naa +ci +operator +\* +is over/,
    );
    line.answers[`DELETE /tokens/${token.id}`] = () => ({});
    expect((await line.run(['token', 'revoke', token.id])).stderr).toContain('say --yes');
    expect(line.asked.filter(({ method }) => method === 'DELETE')).toEqual([]);
    expect(await line.run(['token', 'revoke', token.id, '--yes'])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`Revoked the token ${token.id}`),
    });
  });
});

describe('audit', () => {
  const entry = {
    ...{ id: 'e1', time: '2026-01-06T08:00:00.000Z', what: 'delete backup', clusterId: 'orders', backupId: BACKUP },
    ...{ caller: 'ci', callerId: 't1', from: '10.0.0.7', outcome: 'refused' as const, status: 409 },
    ...{ code: 'backup_in_use', requestId: 'r1' },
  };

  it('shows who changed what and how that ended, and asks for what was said', async () => {
    line.answers['GET /audit'] = () => ({ entries: [entry], pageToken: 'YTEg' });
    const options = ['--since', '2026-01-06', '--caller', 'ci', '--cluster', 'orders', '--what', 'delete backup'];
    const { code, stdout, stderr } = await line.run(['audit', ...options, '--outcome', 'refused', '--limit', '1']);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/ ci +delete backup +orders +backup h6Ih\S+ +refused: backup_in_use\n$/),
    ]);
    expect(stderr).toContain('--limit says how many');
    expect(Object.fromEntries(new URLSearchParams(line.asked[0]?.path.split('?')[1]))).toEqual({
      ...{ pageSize: '1', from: '2026-01-06T00:00:00.000Z', caller: 'ci', clusterId: 'orders' },
      ...{ what: 'delete backup', outcome: 'refused' },
    });
  });

  it('takes how long ago for a time, and refuses what is none', async () => {
    line.answers['GET /audit'] = () => ({ entries: [] });
    expect((await line.run(['audit', '--since', '24h', '-o', 'json'])).stdout).toBe('{\n  "entries": []\n}\n');
    const { from } = Object.fromEntries(new URLSearchParams(line.asked[0]?.path.split('?')[1]));
    expect(Math.abs(Date.now() - Date.parse(from ?? '') - 86_400_000)).toBeLessThan(600_000);
    expect((await line.run(['audit', '--since', 'yesterday'])).code).toBe(2);
  });
});

describe('notification', () => {
  const receiver = {
    ...{ id: 'ops', kind: 'mail', paused: false, selector: { env: 'prod' }, leastSeverity: 'warning', topics: [] },
    mail: { host: 'smtp.example.com', port: 587, security: 'starttls', from: 'a@example.com', to: ['b@example.com'] },
    ...{ revision: 3, updateTime: '2026-01-06T08:00:00.000Z', updatedBy: 'ci' },
  };
  beforeEach(() => {
    line.answers['PUT /notifications/ops'] = () => ({ receiver });
  });

  it('add makes a receiver of what was said, and none over one that is there', async () => {
    const webhook = ['notification', 'add', 'ops', '--kind', 'webhook', '--webhook-url', 'https://example.com/'];
    const { code, stderr } = await line.run([
      ...webhook,
      '--env-prefix',
      'OPS_',
      '--topic',
      'damage',
      '--label',
      'a=b',
    ]);
    expect([code, stderr]).toEqual([0, expect.stringContaining('notification test ops')]);
    await line.run(['notification', 'add', 'ops', '--kind', 'heartbeat', '--env-prefix', 'OPS_', '--every', '60s']);
    const mail = ['--smtp', 'smtp.example.com:25', '--from', 'a@example.com', '--to', 'b@example.com', '--to', 'c@d.e'];
    await line.run(['notification', 'add', 'ops', '--kind', 'mail', ...mail, '--digest', '8@Europe/Berlin']);
    expect(sent('PUT /notifications/ops?revision=0')).toEqual([
      { kind: 'webhook', url: 'https://example.com/', ...OPS, topics: ['damage'], selector: { a: 'b' } },
      { kind: 'heartbeat', ...OPS, everySeconds: 60 },
      {
        ...{ kind: 'mail', digest: { hour: 8, timeZone: 'Europe/Berlin' } },
        mail: { host: 'smtp.example.com', port: 25, from: 'a@example.com', to: ['b@example.com', 'c@d.e'] },
      },
    ]);
    line.answers['GET /notifications/ops'] = () => ({ receiver, status: { waiting: 0 } });
    expect(await line.run(webhook)).toMatchObject({ code: 1, stderr: expect.stringContaining('set ops') });
    expect((await line.run(['notification', 'add', 'x', '--kind', 'mail', '--digest', '8'])).code).toBe(2);
  });

  it('set changes what was said and keeps the rest, at the revision that it saw', async () => {
    line.answers['GET /notifications/ops'] = () => ({ receiver, status: { waiting: 0 } });
    await line.run(['notification', 'set', 'ops', '--to', 'c@d.e', '--pause', '--no-digest']);
    const { kind, selector, leastSeverity, mail } = receiver;
    expect(sent('PUT /notifications/ops?revision=3')).toEqual([
      { kind, selector, leastSeverity, paused: true, digest: null, mail: { ...mail, to: ['c@d.e'] } },
    ]);
  });

  it('test says how it went, and fails where it was not taken', async () => {
    const delivery = { eventId: 'e', state: 'delivered', type: 'test', severity: 'info', text: 'A test.', tries: 1 };
    line.answers['POST /notifications/ops/test'] = () => ({ delivery });
    expect(await line.run(['notification', 'test', 'ops'])).toMatchObject({
      ...{ code: 0, stderr: expect.stringContaining('took it') },
    });
    line.answers['POST /notifications/ops/test'] = () => ({
      delivery: { ...delivery, state: 'givenUp', trouble: 'It answered 500.' },
    });
    expect(await line.run(['notification', 'test', 'ops'])).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('It answered 500.') },
    });
  });

  it('get and deliveries show how it is with a receiver', async () => {
    const status = { waiting: 2, waitingSince: '2026-01-06T08:00:00.000Z', trouble: 'It refused the connection.' };
    line.answers['GET /notifications/ops'] = () => ({ receiver, status });
    const { stdout } = await line.run(['notification', 'get', 'ops']);
    expect(stdout).toMatch(/waiting +2, since [\s\S]*trouble +It refused the connection\./);
    const waiting = { eventId: 'e', state: 'waiting', type: 'backup.failed', severity: 'warning', tries: 3 };
    const text = { text: 'A backup of orders failed.', trouble: 'It answered 500.', eventTime: status.waitingSince };
    line.answers['GET /notifications/ops/deliveries'] = () => ({ deliveries: [{ ...waiting, ...text }] });
    expect((await line.run(['notification', 'deliveries', 'ops', '--state', 'waiting'])).stdout).toMatch(
      /waiting after 3 tries +backup\.failed +warning +A backup of orders failed\. \(It answered 500\.\)\n$/,
    );
    expect(line.asked.at(-1)?.path).toContain('state=waiting');
  });
});

describe('log-backup', () => {
  const LOG = {
    ...{ clusterId: 'orders', wanted: 'on', state: 'Running', reached: true, healthy: true, storageId: 's3-main' },
    ...{ retentionDays: 7, lagWarnSeconds: 600, lagCriticalSeconds: 1_800, wantedBy: 'admin' },
    ...{
      wantedTime: '2026-01-05T12:00:00Z',
      checkpointTso: '1',
      checkpointTime: '2026-01-06T10:12:31Z',
      lagSeconds: 171,
    },
    ...{
      seenTime: '2026-01-06T10:15:20Z',
      errors: [],
      resumeUntil: '0001-01-01T00:00:00Z',
      alarms: [],
      generations: [],
    },
    ...{ cleanup: [], activity: '' },
  };
  const PATH = '/clusters/orders/log-backup';

  it('start changes what is said, and leaves the rest as it is', async () => {
    line.answers[`GET ${PATH}`] = () => ({ logBackup: LOG });
    line.answers[`PUT ${PATH}`] = () => ({ logBackup: LOG });
    expect((await line.run(['log-backup', 'start', 'orders', '--retention-days', '14', '--lag-warn', '5m'])).code).toBe(
      0,
    );
    expect(sent(`PUT ${PATH}`)).toEqual([
      { storageId: 's3-main', retentionDays: 14, lagWarnSeconds: 300, lagCriticalSeconds: 1_800 },
    ]);
  });

  it('get says what is wrong, and ends with 1 where it is wanted and not healthy', async () => {
    const alarms = [{ name: 'logPausedByHand', critical: true, message: 'Somebody paused it.' }];
    line.answers[`GET ${PATH}`] = () => ({ logBackup: { ...LOG, state: 'Paused', healthy: false, alarms } });
    const { code, stdout } = await line.run(['log-backup', 'get', 'orders']);
    expect([code, stdout]).toEqual([1, expect.stringContaining('Somebody paused it.')]);
    line.answers[`GET ${PATH}`] = () => ({ logBackup: LOG });
    expect((await line.run(['log-backup', 'get', 'orders'])).code).toBe(0);
  });

  it('stop has the cluster typed, pause takes a reason', async () => {
    line.answers[`DELETE ${PATH}`] = () => ({ logBackup: { ...LOG, wanted: 'off' } });
    line.answers[`POST ${PATH}/pause`] = () => ({ logBackup: { ...LOG, wanted: 'paused' } });
    expect((await line.run(['log-backup', 'stop', 'orders'])).code).toBe(2);
    expect((await line.run(['log-backup', 'stop', 'orders', '--yes'])).code).toBe(0);
    expect(line.asked.at(-1)?.path).toBe(PATH);
    await line.run(['log-backup', 'stop', 'orders', '--yes', '--remove-files', '--acknowledge', 'a1']);
    expect(line.asked.at(-1)?.path).toBe(`${PATH}?files=remove&acknowledge=a1`);
    await line.run(['log-backup', 'pause', 'orders', '--reason', 'maintenance']);
    expect(sent(`POST ${PATH}/pause`)).toEqual([{ reason: 'maintenance' }]);
  });
});

describe('drill', () => {
  const DRILL = {
    ...{ clusterId: 'orders', targetClusterId: 'orders-drill', backupDate: 'Sunday', period: '2:00-6:00' },
    ...{ timeZone: 'Europe/Berlin', paused: false, choose: 'random', revision: 1, updatedBy: 'admin' },
    ...{ updateTime: '2026-01-05T12:00:00Z', nextTime: '2026-01-11T01:00:00Z' },
  };
  const RUN = {
    ...{ id: 'orders:asked-a', clusterId: 'orders', targetClusterId: 'orders-drill', state: 'Succeeded', byHand: true },
    ...{ opensAt: '2026-01-04T01:00:00Z', closesAt: '2026-01-04T02:00:00Z', choose: 'random', seconds: 4_200 },
  };
  const PATH = '/clusters/orders/drill';

  it('set sends what is said, and removes a hook only where that is said', async () => {
    line.answers[`PUT ${PATH}`] = () => ({ drill: DRILL });
    const set = (...more: string[]) => line.run(['drill', 'set', 'orders', '--into', 'orders-drill', ...more]);
    await set('--days', 'Sunday', '--window', '2:00-6:00', '--choose', 'random', '--hook-secrets', 'DRILL_');
    await set('--hook-secrets-file', '/run/secrets/drill', '--hook-url', 'https://hooks.example.com/');
    await set('--without-hook');
    expect((await set('--without-hook', '--hook-secrets-file', '/run/secrets/drill')).code).toBe(2);
    expect((await set('--hook-url', 'https://hooks.example.com/')).code).toBe(2);
    expect(sent(`PUT ${PATH}`)).toEqual([
      {
        ...{ targetClusterId: 'orders-drill', backupDate: 'Sunday', period: '2:00-6:00', choose: 'random' },
        emptyHook: { secrets: { envPrefix: 'DRILL_' } },
      },
      {
        targetClusterId: 'orders-drill',
        emptyHook: { url: 'https://hooks.example.com/', secrets: { file: '/run/secrets/drill' } },
      },
      { targetClusterId: 'orders-drill', emptyHook: null },
    ]);
  });

  it('get says when the cluster was last proven, and ends with 1 where the latest run did not', async () => {
    const proof = { time: '2026-01-04T02:10:00Z', seconds: 4_200, backupId: BACKUP, restoreId: RESTORE };
    line.answers[`GET ${PATH}`] = () => ({ drill: DRILL, latest: RUN, proof });
    const good = await line.run(['drill', 'get', 'orders']);
    expect([good.code, good.stdout]).toEqual([0, expect.stringContaining(`in 1.2 h, by restore ${RESTORE}`)]);
    const missed = { ...RUN, state: 'Missed', code: 'NO_SCHEDULER', reason: 'no scheduler was running' };
    line.answers[`GET ${PATH}`] = () => ({ drill: DRILL, latest: missed });
    const bad = await line.run(['drill', 'get', 'orders']);
    expect([bad.code, bad.stdout]).toEqual([1, expect.stringContaining('no scheduler was running')]);
    expect(bad.stdout).toMatch(/last proven +never/);
  });

  it('run asks under a key, history lists the runs, and remove has the cluster typed', async () => {
    line.answers[`POST ${PATH}/run`] = () => ({ run: { ...RUN, state: 'Pending' } });
    line.answers[`GET ${PATH}/runs`] = () => ({ runs: [RUN] });
    line.answers[`DELETE ${PATH}`] = () => ({});
    expect((await line.run(['drill', 'run', 'orders'])).code).toBe(0);
    expect((await line.run(['drill', 'history', 'orders'])).stdout).toMatch(/Succeeded +1\.2 h/);
    expect((await line.run(['drill', 'remove', 'orders'])).code).toBe(2);
    expect((await line.run(['drill', 'remove', 'orders', '--yes'])).code).toBe(0);
  });
});
