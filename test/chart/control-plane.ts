/** A real control plane of Kubernetes: etcd, the API server and the controllers. It has no node, so that pods stay pending. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Child, startChild } from '@tidemark/local-stack/child';
import { freePort } from '@tidemark/local-stack/ports';
import { untilListening } from '@tidemark/local-stack/until-listening';
import { testAuthority } from '@tidemark/service-kit/testing/certificates';
import { vi } from 'vitest';
import { stringify } from 'yaml';
import { CONTROL_PLANE_FOLDER, findEtcd } from './control-plane-programs.ts';
import { crdSchemas, type KubernetesObject } from './schemas.ts';

const START_LIMIT_MS = 120_000;
const STOP_GRACE_MS = 10_000;
const ANSWER_LIMIT_MS = 30_000;

export interface ControlPlane extends AsyncDisposable {
  /** For what goes with it. */
  readonly folder: string;
  /** The content of a kubeconfig file, with all rights. */
  readonly kubeconfig: string;
  /**
   * Calls the API.
   *
   * @param path such as `/api/v1/namespaces`
   * @throws what the server has against it
   */
  call<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T>;
}

/** Starts one whose server knows the custom resources of KEDA and of the Prometheus operator; it is ready when this resolves. */
export async function startControlPlane(): Promise<ControlPlane> {
  await using stack = new AsyncDisposableStack();
  const signal = AbortSignal.timeout(START_LIMIT_MS);
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-kubernetes-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const fileOf = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const start = async (name: string, program: string, args: readonly string[], port: number): Promise<Child> => {
    const child = await startChild({ name, program, args, env: { PATH: process.env.PATH }, dataDir: folder });
    stack.defer(async () => void (await child.stop(STOP_GRACE_MS)));
    await untilListening(child, { title: name, port, startTimeoutMs: START_LIMIT_MS }, signal);
    return child;
  };

  const [etcdPort, peerPort, apiPort, controllersPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const [etcdUrl, peerUrl] = [`http://127.0.0.1:${etcdPort}`, `http://127.0.0.1:${peerPort}`];
  const etcdArgs = {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': etcdUrl,
    'advertise-client-urls': etcdUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `default=${peerUrl}`,
  };
  await start('etcd', await findEtcd({ say: console.error, signal }), flags(etcdArgs), etcdPort);

  const authority = await testAuthority();
  const { cert, key } = await authority.sign({ names: ['127.0.0.1'] });
  const token = randomBytes(16).toString('hex');
  const accounts = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const accountKey = fileOf('sa.key', accounts.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const caFile = fileOf('ca.crt', authority.ca);
  const apiArgs = {
    'etcd-servers': etcdUrl,
    'bind-address': '127.0.0.1',
    'secure-port': String(apiPort),
    'tls-cert-file': fileOf('api.crt', cert),
    'tls-private-key-file': fileOf('api.key', key),
    'cert-dir': folder,
    'token-auth-file': fileOf('tokens.csv', `${token},tester,1,system:masters\n`),
    'authorization-mode': 'RBAC',
    'endpoint-reconciler-type': 'none',
    'service-cluster-ip-range': '10.0.0.0/24',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-signing-key-file': accountKey,
    'service-account-key-file': fileOf('sa.pub', accounts.publicKey.export({ type: 'spki', format: 'pem' }).toString()),
  };
  const server = `https://127.0.0.1:${apiPort}`;
  await start('kube-apiserver', join(CONTROL_PLANE_FOLDER, 'kube-apiserver'), flags(apiArgs), apiPort);

  const kubeconfig = stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'tester', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'tester' } }],
  });
  const controllersArgs = {
    kubeconfig: fileOf('kubeconfig', kubeconfig),
    'bind-address': '127.0.0.1',
    'secure-port': String(controllersPort),
    'cert-dir': folder,
    'leader-elect': 'false',
    'service-account-private-key-file': accountKey,
    'root-ca-file': caFile,
  };
  const controllers = join(CONTROL_PLANE_FOLDER, 'kube-controller-manager');
  await start('kube-controller-manager', controllers, flags(controllersArgs), controllersPort);

  const ca = readFileSync(caFile);
  async function call<T>(method: string, path: string, body?: object): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const asked = request(
      `${server}${path}`,
      {
        method,
        ca,
        headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      },
      (answer) => {
        const { statusCode = 0 } = answer;
        text(answer).then(
          (content) =>
            statusCode < 300
              ? resolve(JSON.parse(content) as T)
              : reject(new Error(`${method} ${path}: ${statusCode} ${content}`)),
          reject,
        );
      },
    );
    asked.on('error', reject);
    asked.end(body && JSON.stringify(body));
    return promise;
  }

  await answered(() => call('GET', '/api/v1/namespaces/default/serviceaccounts/default'));
  for (const definition of customResources())
    await call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition);
  for (const { spec } of customResources())
    await answered(() => call('GET', `/apis/${spec.group}/${spec.versions[0].name}/${spec.names.plural}`));
  const owned = stack.move();
  return { folder, kubeconfig, call, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const answered = (ask: () => Promise<unknown>) => vi.waitFor(ask, { timeout: START_LIMIT_MS, interval: 200 });

const flags = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([name, value]) => `--${name}=${value}`);

/** The definitions of which `testdata` has the schemas. */
function customResources(): readonly KubernetesObject[] {
  return crdSchemas().map(({ apiVersion, kind, schema }) => {
    const [group = '', version = ''] = apiVersion.split('/');
    const plural = `${kind.toLowerCase()}s`;
    return {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind, plural, singular: kind.toLowerCase() },
        versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    };
  });
}
