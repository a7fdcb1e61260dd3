/** The chart as people install it, with its pods as processes of this machine. */
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
import { expect, inject } from 'vitest';
import { TIMING } from '../e2e/timing.ts';
import { NEEDED } from './everything.ts';
import { askHelm, overlay, type Values, valuesOf } from './helm.ts';
import { IMAGES, type Podman } from './podman.ts';
import { type Pod, startPods } from './pods.ts';

const execute = promisify(execFile);
const CLI = join(REPOSITORY, 'cli', 'src', 'main.ts');

export interface Installation extends AsyncDisposable {
  readonly pods: readonly Pod[];
  /** The pod of this process. */
  of(component: Pod['component']): Pod;
  /** Starts a pod of the ScaledJob of this name, as KEDA would. */
  startJob(name: string): Promise<Pod>;
  /** A folder for backups. */
  readonly storage: string;
  /** Says how demo-br shall behave from now on. */
  behave(script: Readonly<Record<string, unknown>>): void;
  /** Calls the command line as NOTES and README tell people to, and answers what it printed; anything but success is a failure. */
  tidemark(...args: string[]): Promise<string>;
}

/**
 * Renders the smallest values, these over them, and starts what comes of it; answers once each pod is ready.
 *
 * @param podman runs the images; without, pods are processes of the checkout
 */
export async function install(python: string, values: Values, podman?: Podman): Promise<Installation> {
  await using stack = new AsyncDisposableStack();
  const name = `chart-${randomBytes(4).toString('hex')}`;
  const folder = temporaryDataFolder();
  stack.defer(async () => {
    removeFolder(folder);
    await deleteNamespace(inject('amqpUrl'), name, ['default']);
    const mongo = new MongoClient(inject('mongodbUrl'));
    await dropTestDatabase(mongo.db(name));
    await mongo.close();
  });
  const authority = await testAuthority();
  writeFileSync(join(folder, 'ca.crt'), authority.ca);
  const { cert, key } = await authority.sign({ names: ['tidemark'] });
  const https = await authority.sign({ names: ['127.0.0.1'] });
  const manifestKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  let url: string | undefined;
  const tidemark = async (...args: string[]) => {
    const env = {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      NODE_EXTRA_CA_CERTS: join(folder, 'ca.crt'),
      XDG_CONFIG_HOME: folder,
      INIT_CWD: folder,
      ...(url && { TIDEMARK_URL: url, TIDEMARK_TOKEN_FILE: join(folder, 'token') }),
    };
    const { code, stdout, stderr } = await execute(process.execPath, [CLI, ...args], { env, cwd: folder }).then(
      (output) => ({ code: 0, ...output }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
    expect(code, `${stdout}${stderr}`).toBe(0);
    return stdout;
  };
  const asked = ['--file', 'tokens.json', '--name', 'me', '--role', 'admin', '--clusters', '*'];
  writeFileSync(join(folder, 'token'), await tidemark('token', 'file', 'create', ...asked), { mode: 0o600 });

  const storage = join(folder, 'storage');
  mkdirSync(storage);
  const behave: Installation['behave'] = (script) =>
    writeFileSync(join(storage, 'demo-br.json'), JSON.stringify({ lockTtlSeconds: 1, ...script }));
  behave({ seconds: 0.4 });
  const br = join(folder, 'br');
  const clusters = join(folder, 'demo-clusters');
  mkdirSync(clusters);
  writeFileSync(
    br,
    `#!/bin/sh\nTIDEMARK_NODE='${process.execPath}' DEMO_BR_CLUSTERS='${clusters}' exec '${DEMO_BR}' "$@"\n`,
  );
  chmodSync(br, 0o755);

  const timing = Object.fromEntries(Object.entries(TIMING).map(([setting, seconds]) => [setting, Number(seconds)]));
  const settings = { ...timing, TIDEMARK_AMQP_NAMESPACE: name, TIDEMARK_MONGODB_DATABASE: name };
  const shared = podman ? sharedFolders([storage, clusters]) : {};
  const all = [NEEDED, { settings, gateway: { preStopSeconds: 1 } }, shared, values].reduce(
    overlay,
    valuesOf('values-small.yaml'),
  );
  const rendered = askHelm(python, { lint: {}, render: { all } }).render.all;
  if (rendered === undefined) throw new Error('Helm rendered nothing');
  expect(rendered.refused).toBeUndefined();
  const { pods, startJob } = stack.use(
    await startPods(rendered.objects, {
      folder: join(folder, 'pods'),
      br,
      ...(podman && { podman }),
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
    }),
  );
  const of = (component: Pod['component']) => {
    const pod = pods.find((one) => one.component === component);
    if (pod === undefined) throw new Error(`there is no ${component}`);
    return pod;
  };
  url = `${'tls' in values ? 'https' : 'http'}://${of('gateway').address('api')}`;
  const owned = stack.move();
  return { pods, of, startJob, storage, behave, tidemark, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

/** Workers in containers see these folders, which anybody may write, and the checkout with demo-br, where this machine has them. */
function sharedFolders(writable: readonly string[]): Values {
  for (const folder of writable) chmodSync(folder, 0o777);
  const folders = [REPOSITORY, ...writable].map((path, index) => ({ name: `shared-${index}`, path }));
  const extraVolumes = folders.map(({ name, path }) => ({ name, hostPath: { path } }));
  const extraVolumeMounts = folders.map(({ name, path }) => ({ name, mountPath: path, readOnly: path === REPOSITORY }));
  return { image: { repository: IMAGES }, workers: { defaults: { extraVolumes, extraVolumeMounts } } };
}
