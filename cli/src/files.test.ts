/** `apply` and `diff`, against the schemas that the gateway has and a server that keeps what is put into it. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cluster } from './testing/records.ts';
import { type CommandLine, fail, startCommandLine } from './testing/run.ts';

const DOCUMENT = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'openapi.json'));

let line: CommandLine;
beforeEach(async () => {
  line = await startCommandLine();
  line.answers['GET /openapi.json'] = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(DOCUMENT);
    return undefined;
  };
});
afterEach(() => line[Symbol.asyncDispose]());
const write = (text: string) => writeFileSync(join(line.folder, 'fleet.yaml'), text);
const run = (...args: string[]) => line.run([...args, '-f', 'fleet.yaml']);
const DRY_RUN = 'validateOnly=true';
const puts = () =>
  line.asked
    .filter(({ method, path }) => method === 'PUT' && !path.endsWith(DRY_RUN))
    .map(({ path, body }) => [path, body]);
const dryRuns = () => line.asked.filter(({ path }) => path.endsWith(DRY_RUN)).map(({ path }) => path.split('?')[0]);

const CLUSTER = `kind: Cluster
id: orders
name: shop
pd: ["10.0.0.1:2379"]
version: 8.5.0
storageId: nfs
labels: {env: prod}
`;

describe('a file with a mistake', () => {
  it.each([
    [
      'a field that is none',
      `${CLUSTER}\nverison: 8.5.1\n`,
      /^fleet\.yaml:9: Cluster orders has no field "verison": it has name, pd, version, /,
    ],
    [
      'one deep inside',
      `${CLUSTER}brOptions:\n  rateLimit: 1\n  fliters: []\n`,
      /^fleet\.yaml:10: Cluster orders has no field "brOptions\.fliters": it has rateLimit, /,
    ],
    [
      'a value of another kind',
      CLUSTER.replace('["10.0.0.1:2379"]', '10.0.0.1:2379'),
      /^fleet\.yaml:4: pd must be array/,
    ],
    [
      'a word that is none',
      `${CLUSTER}purpose: test\n`,
      /^fleet\.yaml:8: purpose must be equal to one of .*: production, dr, scratch/,
    ],
    [
      'a field that is missing',
      CLUSTER.replace('storageId: nfs\n', ''),
      /^fleet\.yaml:1: Cluster orders lacks storageId\./,
    ],
    ['no kind', 'id: orders\n', /^fleet\.yaml:1: kind must be one of Storage, Cluster, Strategy, FleetStrategy/],
    ['another kind', 'kind: Clutser\nid: orders\n', /^fleet\.yaml:1: kind must be/],
    ['no id', 'kind: Cluster\npd: []\n', /^fleet\.yaml:1: id must name the Cluster/],
    ['an id that is none', 'kind: Cluster\n\nid: a/b\n', /^fleet\.yaml:3: id must name/],
    [
      'a type that is none',
      'kind: Storage\nid: a\ntype: ftp\n',
      /^fleet\.yaml:3: type must be one of azure, gcs, local, s3/,
    ],
    ['YAML that is none', 'kind: Cluster\nid: [a\n', /^fleet\.yaml:\d: /],
    ['an alias without an end', `&a\n${CLUSTER.replace('{env: prod}', '*a')}`, /^fleet\.yaml:\d: an alias/],
    ['a list', '- kind: Cluster\n', /^fleet\.yaml:1: it must be a mapping/],
    ['one thing twice', `${CLUSTER}---\n${CLUSTER}`, /^fleet\.yaml:9: Cluster orders stands in fleet\.yaml:1 already/],
    ['a revision that is none', `${CLUSTER}revision: -1\n`, /^fleet\.yaml:8: revision must be a whole number/],
    [
      'a rule twice, in other letters',
      'kind: Strategy\nclusterId: a\nrule: Nightly\n---\nkind: Strategy\nclusterId: a\nrule: nightly\n',
      /^fleet\.yaml:5: Strategy a nightly stands in fleet\.yaml:1 already/,
    ],
    ['nothing', '', /^fleet\.yaml: it holds no document/],
  ])('such as %s is named with its line, and nothing is applied', async (_, text, sentence) => {
    write(`${text}`);
    const { code, stderr } = await run('apply');
    expect([code, stderr]).toEqual([2, expect.stringMatching(sentence)]);
    expect(stderr).toContain('Nothing was changed.');
    expect(line.asked.filter(({ path }) => path !== '/openapi.json')).toEqual([]);
  });

  it('is named beside all others, in the second document too', async () => {
    write(`${CLUSTER}pool: [a]\n---\nkind: Strategy\nclusterId: orders\nperoid: "1:00-2:00"\nretention: {keep: 3}\n`);
    const { stderr } = await run('diff');
    expect(stderr).toMatch(
      /fleet\.yaml:8: pool must be string[\s\S]*fleet\.yaml:12: Strategy orders has no field "peroid"[\s\S]*fleet\.yaml:13: .*"retention\.keep"/,
    );
  });
});

describe('apply', () => {
  it('makes what is not there in the order in which it is needed, and what differs as the file says', async () => {
    let now = cluster({ version: '8.4.0', brOptions: { rateLimit: 5, concurrency: 0, compression: '', filters: [] } });
    line.answers['GET /clusters/orders'] = () => ({ cluster: now });
    line.answers['PUT /clusters/orders'] = ({ path, body }) => {
      const saved = cluster(body);
      if (!path.endsWith(DRY_RUN)) now = saved;
      return { cluster: saved };
    };
    line.answers['PUT /storages/nfs'] = ({ body }) => ({ storage: { id: 'nfs', ...body } });
    write(`${CLUSTER}---\nkind: Storage\nid: nfs\ntype: local\npath: /mnt/backup\n`);
    expect(await run('diff')).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /\+ +Storage nfs[\s\S]*~ +Cluster orders +version: 8\.4\.0 → 8\.5\.0; brOptions: \{"rateLimit":5\} → nothing/,
      ),
    });
    expect(puts()).toEqual([]);
    expect(await run('apply', '--dry-run')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('nothing was changed'),
    });
    expect(puts()).toEqual([]);
    expect(await run('apply')).toMatchObject({ code: 0, stderr: '2 changes made.\n' });
    expect(puts()).toEqual([
      ['/storages/nfs?revision=0', { type: 'local', path: '/mnt/backup' }],
      [
        '/clusters/orders?revision=1',
        { name: 'shop', pd: ['10.0.0.1:2379'], version: '8.5.0', storageId: 'nfs', labels: { env: 'prod' } },
      ],
    ]);
    write(CLUSTER);
    expect(await run('diff', '-o', 'json')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"action": "none"'),
    });
  });

  it('leaves alone what somebody else changed meanwhile, and goes on with the rest', async () => {
    line.answers['GET /clusters/orders'] = () => ({ cluster: cluster({ version: '8.4.0', revision: 3 }) });
    line.answers['PUT /clusters/orders'] = ({ path, body }, response) =>
      path.endsWith(DRY_RUN)
        ? { cluster: cluster(body) }
        : fail(response, 409, 'Cluster orders is at revision 4, and this save is about revision 3.');
    line.answers['PUT /strategies/nightly'] = () => ({ strategy: {} });
    write(`${CLUSTER}---\nkind: FleetStrategy\nname: nightly\nselector: {env: prod}\n`);
    const { code, stderr } = await run('apply');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/fleet\.yaml:1: Cluster orders: .* at revision 4.*\n1 change made, 1 not\./),
    ]);
    expect(puts().map(([path]) => path)).toEqual(['/clusters/orders?revision=3', '/strategies/nightly?revision=0']);
  });

  const bad = (response: ServerResponse, ...fields: [field: string, description: string][]) =>
    fail(response, 400, 'bad', { details: { fields: fields.map(([field, description]) => ({ field, description })) } });
  const unknown = (response: ServerResponse, code: number, message: string) => fail(response, 404, message, { code });

  it.each(['apply', 'diff'])(
    'tells all at once what the API would refuse, each at its line, before %s',
    async (verb) => {
      line.answers['PUT /clusters/orders'] = (_, response) =>
        bad(response, ['pd[0]', 'must be host:port'], ['version', 'must be a version']);
      line.answers['PUT /strategies/nightly'] = (_, response) =>
        bad(response, ['strategy.backupDate', '"Fryday" is no weekday']);
      line.answers['PUT /clusters/stock/strategies/default'] = (_, response) =>
        unknown(response, 20600, 'There is no storage s3.');
      line.answers['PUT /storages/nfs'] = (_, response) => fail(response, 403, 'Storages are for admins.');
      write(
        `${CLUSTER.replace('10.0.0.1:2379', 'nowhere')}---
kind: FleetStrategy
name: nightly
selector: {env: prod}
backupDate: Fryday
---
kind: Strategy
clusterId: stock
period: "1:00-2:00"
storageId: s3
---
kind: Storage
id: nfs
type: local
path: /mnt/backup
`,
      );
      const { code, stderr } = await run(verb);
      expect([code, stderr.split('\n').sort()]).toEqual([
        2,
        [
          '',
          'Nothing was changed.',
          'fleet.yaml:12: FleetStrategy nightly: backupDate "Fryday" is no weekday.',
          'fleet.yaml:17: Strategy stock default: There is no storage s3.',
          'fleet.yaml:19: Storage nfs: Storages are for admins.',
          'fleet.yaml:4: Cluster orders: pd[0] must be host:port.',
          'fleet.yaml:5: Cluster orders: version must be a version.',
        ],
      ]);
      expect([puts(), dryRuns()]).toEqual([[], expect.arrayContaining(['/storages/nfs', '/strategies/nightly'])]);
    },
  );

  it('tells beside what the schemas say what the API says of the other documents', async () => {
    line.answers['PUT /strategies/nightly'] = (_, response) => bad(response, ['strategy.period', 'is no window']);
    write(`${CLUSTER}verison: 1\n---\nkind: FleetStrategy\nname: nightly\nperiod: "25:00-5:00"\n`);
    expect(await run('apply')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /^fleet\.yaml:8: Cluster orders has no field "verison"[^\n]*\nfleet\.yaml:12: FleetStrategy nightly: period is no window\.\nNothing/,
      ),
    });
    expect(dryRuns()).toEqual(['/strategies/nightly']);
  });

  it('says where all of it is refused to the token', async () => {
    line.answers['PUT /clusters/orders'] = (_, response) => fail(response, 403, 'That is for admins.');
    write(CLUSTER);
    expect(await run('apply')).toMatchObject({ code: 4, stderr: expect.stringContaining('That is for admins.') });
  });

  it('takes for no fault that a document names what the same files bring, and tries what else it says', async () => {
    const saved: string[] = [];
    // As the API does: fields first, then the cluster, then the storage.
    const registered = new Set<string>();
    line.answers['PUT /storages/nfs'] = ({ path, body }) => {
      if (!path.endsWith(DRY_RUN)) saved.push('nfs');
      return { storage: { id: 'nfs', ...body } };
    };
    line.answers['PUT /clusters/orders'] = ({ path, body }, response) => {
      if (body.storageId !== 'archive' && !saved.includes('nfs')) return unknown(response, 20600, 'No such storage.');
      if (!path.endsWith(DRY_RUN)) registered.add('orders');
      return { cluster: cluster(body) };
    };
    line.answers['PUT /clusters/orders/strategies/weekly'] = ({ body: { strategy } }, response) => {
      if (strategy.backupDate === 'Fryday') return bad(response, ['strategy.backupDate', 'is no weekday']);
      if (!registered.has('orders')) return unknown(response, 10003, 'There is no cluster orders.');
      return { strategy };
    };
    line.answers['PUT /strategies/nightly'] = ({ body: { strategy } }, response) => {
      if (strategy.storageId === 'nfs' && !saved.includes('nfs')) return unknown(response, 20600, 'No such storage.');
      if (strategy.rule === 'b') return bad(response, ['strategy.rule', 'was settled as "a"']);
      return { strategy };
    };
    const text = (rule: string, storageId: string, fleetRule = 'a') => `kind: Strategy
clusterId: orders
rule: weekly
backupDate: ${rule}
storageId: ${storageId}
---
${CLUSTER}---
kind: FleetStrategy
name: nightly
rule: ${fleetRule}
storageId: nfs
---
kind: Storage
id: nfs
type: local
path: /mnt/backup
`;
    for (const [wrong, fault] of [
      [text('Fryday', 'nfs'), /^fleet\.yaml:4: Strategy orders weekly: backupDate is no weekday\.$/m],
      [text('Friday', 'elsewhere'), /^fleet\.yaml:5: Strategy orders weekly: No such storage\.$/m],
      [text('Friday', 'nfs', 'b'), /^fleet\.yaml:17: FleetStrategy nightly: rule was settled as "a"\.$/m],
    ] as const) {
      write(wrong);
      const { code, stderr } = await run('apply');
      expect([code, stderr]).toEqual([2, expect.stringMatching(fault)]);
      expect(stderr.trim().split('\n')).toHaveLength(2);
    }
    expect(puts()).toEqual([]);
    for (const storageId of ['nfs', 'archive']) {
      write(text('Friday', storageId));
      expect((await run('diff')).code, storageId).toBe(1);
    }
    expect(await run('apply')).toMatchObject({ code: 0, stderr: '4 changes made.\n' });
  });

  it('changes nothing where Tidemark would take a dry run for a save', async () => {
    line.answers['GET /openapi.json'] = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(DOCUMENT.toString('utf8').replaceAll('"validateOnly"', '"other"'));
      return undefined;
    };
    write(CLUSTER);
    expect(await run('apply', '--dry-run')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('knows no dry run of a save'),
    });
    expect(line.asked.map(({ path }) => path)).toEqual(['/openapi.json']);
  });

  it('changes a strategy at its revision only, and compares it as the API would save it', async () => {
    const strategy = {
      clusterId: 'orders',
      rule: 'default',
      backupDate: 'Monday',
      period: '1:00-2:00',
      revision: 3,
      retention: { keepLast: 7 },
    };
    line.answers['GET /clusters/orders/strategies/default'] = () => ({ strategy });
    line.answers['PUT /clusters/orders/strategies/default'] = ({ path }, response) =>
      path.includes('revision=3&')
        ? { strategy: { ...strategy, revision: 4 } }
        : fail(response, 409, 'It is at revision 3, and this save is about revision 2.');
    write('kind: Strategy\nclusterId: orders\nrevision: 3\nbackupDate: " monday,Monday"\n');
    expect((await run('diff')).code).toBe(0);
    write('kind: Strategy\nclusterId: orders\nrevision: 2\nbackupDate: Monday\n');
    expect(await run('apply')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/fleet\.yaml:1: .*at revision 3.*about revision 2/),
    });
    expect(puts()).toEqual([]);
  });
});
