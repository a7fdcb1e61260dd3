/** What the chart says is what the program reads: the pods of a rendered chart as real processes, from the first token to a backup. */
import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { REPOSITORY } from '@tidemark/local-stack/repository';
import { DEMO_BR } from '@tidemark/local-stack/stack';
import { removeFolder, temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import { deleteNamespace } from '@tidemark/messaging/topology';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { testAuthority } from '@tidemark/service-kit/testing/certificates';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { TIMING } from '../e2e/timing.ts';
import { NEEDED } from './everything.ts';
import { askHelm, findHelm, overlay, type Rendered, type Values, valuesOf } from './helm.ts';
import { type Pod, startPods } from './pods.ts';

const execute = promisify(execFile);
const CLI = join(REPOSITORY, 'cli', 'src', 'main.ts');
const found = findHelm();

/** How a gateway in the clear, and processes that know each other by the service token, are asked for. */
const PLAIN: Values = {};
const ENCRYPTED: Values = {
  gateway: { allowOpen: false, tls: { existingSecret: 'https' } },
  tls: { enabled: true, existingSecret: 'tls', serverName: 'tidemark' },
  workers: { defaults: { secretFiles: ['storages'], manifestKey: { existingSecret: 'manifest-key' } } },
};

describe.skipIf('missing' in found).each([
  ['in the clear', PLAIN],
  ['with mutual TLS, HTTPS, files of storages and signed manifests', ENCRYPTED],
])('the processes of a rendered chart, %s', (_, values) => {
  const name = `chart-${randomBytes(4).toString('hex')}`;
  const folder = temporaryDataFolder();
  const storage = join(folder, 'storage');
  const isEncrypted = values === ENCRYPTED;
  let rendered: Rendered;
  let pods: Awaited<ReturnType<typeof startPods>>;
  let url: string;

  /** As NOTES and README tell people to call it. */
  const tidemark = async (...args: string[]) => {
    const env = {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      XDG_CONFIG_HOME: folder,
      INIT_CWD: folder,
      ...(url && { TIDEMARK_URL: url, TIDEMARK_TOKEN_FILE: join(folder, 'token') }),
      ...(isEncrypted && { NODE_EXTRA_CA_CERTS: join(folder, 'ca.crt') }),
    };
    return execute(process.execPath, [CLI, ...args], { env, cwd: folder }).then(
      ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  };
  const well = async (...args: string[]) => {
    const { code, stdout, stderr } = await tidemark(...args);
    expect(code, `${stdout}${stderr}`).toBe(0);
    return stdout;
  };
  const of = (component: Pod['component']) => {
    const pod = pods.find((one) => one.component === component);
    if (pod === undefined) throw new Error(`there is no ${component}`);
    return pod;
  };

  beforeAll(async () => {
    if ('missing' in found) return;
    const authority = await testAuthority();
    writeFileSync(join(folder, 'ca.crt'), authority.ca);
    const { cert, key } = await authority.sign({ names: ['tidemark'] });
    const https = await authority.sign({ names: ['127.0.0.1'] });
    const manifestKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const asked = ['--file', 'tokens.json', '--name', 'me', '--role', 'admin', '--clusters', '*'];
    writeFileSync(join(folder, 'token'), await well('token', 'file', 'create', ...asked), { mode: 0o600 });

    mkdirSync(storage);
    writeFileSync(join(storage, 'demo-br.json'), JSON.stringify({ seconds: 0.4, lockTtlSeconds: 1 }));
    const br = join(folder, 'br');
    const clusters = join(folder, 'demo-clusters');
    writeFileSync(
      br,
      `#!/bin/sh\nTIDEMARK_NODE='${process.execPath}' DEMO_BR_CLUSTERS='${clusters}' exec '${DEMO_BR}' "$@"\n`,
    );
    chmodSync(br, 0o755);

    const timing = Object.fromEntries(Object.entries(TIMING).map(([setting, seconds]) => [setting, Number(seconds)]));
    const settings = { ...timing, TIDEMARK_AMQP_NAMESPACE: name, TIDEMARK_MONGODB_DATABASE: name };
    const all = [NEEDED, { settings, gateway: { preStopSeconds: 1 } }, values].reduce(
      overlay,
      valuesOf('values-small.yaml'),
    );
    const answer = askHelm(found.python, { lint: {}, render: { all } }).render.all;
    if (answer === undefined) throw new Error('Helm rendered nothing');
    rendered = answer;
    pods = await startPods(rendered.objects, {
      folder: join(folder, 'pods'),
      br,
      secrets: {
        tidemark: {
          'service-token': randomBytes(32).toString('hex'),
          'tokens.json': readFileSync(join(folder, 'tokens.json'), 'utf8'),
          'amqp-url': inject('amqpUrl'),
          'mongodb-url': inject('mongodbUrl'),
        },
        tls: { 'tls.crt': cert, 'tls.key': key, 'ca.crt': authority.ca },
        https: { 'tls.crt': https.cert, 'tls.key': https.key },
        storages: { 'prod.env': 'AWS_ACCESS_KEY_ID=x\n' },
        'manifest-key': { 'manifest-key.pem': manifestKey },
      },
    });
    url = `${isEncrypted ? 'https' : 'http'}://${of('gateway').address('api')}`;
  }, 180_000);
  afterAll(async () => {
    await pods?.[Symbol.asyncDispose]();
    removeFolder(folder);
    await deleteNamespace(inject('amqpUrl'), name, ['default']);
    const mongo = new MongoClient(inject('mongodbUrl'));
    await dropTestDatabase(mongo.db(name));
    await mongo.close();
  }, 60_000);

  it('start, and answer each of their probes', async () => {
    expect(pods.map(({ component }) => component).sort()).toEqual([
      'backup-service',
      'executor-worker',
      'gateway',
      'scheduler-service',
      'strategy-service',
    ]);
    for (const pod of pods)
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const)
        expect(await pod.probe(probe), `${pod.name}: ${probe}`).toBe(200);
  });

  it('take a backup with the br that was copied out of the image of its version', async () => {
    await well('storage', 'add', 'local', storage);
    await well('cluster', 'add', 'orders', '--pd', '127.0.0.1:2379', '--version', '8.5.0', '--storage', 'local');
    const backupId = (await well('backup', 'start', 'orders', '--wait')).trim();
    const { backup } = JSON.parse(await well('backup', 'get', '-o', 'json', '--', backupId));
    expect(backup).toMatchObject({ state: 'Succeeded' });
    const workers = JSON.parse(await well('worker', 'list', '-o', 'json')).workers;
    expect(workers).toMatchObject([{ pool: 'default', slots: 1, state: 'Present', brVersions: ['v8.5.0'] }]);
  });

  it('have the gauge that KEDA asks for', async () => {
    const gauge = /^tidemark_pool_workers_wanted\{pool="default"\} \d+$/m;
    await vi.waitFor(
      async () => {
        const metrics = await (await fetch(`http://${of('backup-service').address('operations')}/metrics`)).text();
        if (!gauge.test(metrics)) throw new Error('it is not there yet: pools are counted now and then');
      },
      { timeout: 30_000, interval: 300 },
    );
  });

  it('let a worker finish what it has when it is rolled out, and end by themselves within their grace periods', async () => {
    const script = join(storage, 'nfs', 'em', 'backup', 'orders');
    mkdirSync(script, { recursive: true });
    writeFileSync(join(script, 'demo-br.json'), JSON.stringify({ seconds: 5, lockTtlSeconds: 1 }));
    const backupId = (await well('backup', 'start', 'orders')).trim();
    const record = async () => JSON.parse(await well('backup', 'get', '-o', 'json', '--', backupId)).backup;
    await vi.waitFor(async () => expect(await record()).toMatchObject({ state: 'Running' }), {
      timeout: 30_000,
      interval: 300,
    });
    expect(await of('executor-worker').stop()).toBe(0);
    expect(await record()).toMatchObject({ state: 'Succeeded', attempts: [{ outcome: 'succeeded' }] });
    for (const pod of pods) expect(await pod.stop(), pod.name).toBe(0);
  });
});
