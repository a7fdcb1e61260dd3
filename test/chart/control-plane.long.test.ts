/** The chart in a real control plane of Kubernetes, into a namespace that admits restricted pods only. No pod runs there: there is no node. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { missingControlPlane } from './control-plane-programs.ts';
import { EVERYTHING, NEEDED } from './everything.ts';
import { askHelm, CHART, findHelm, overlay, type Values, valuesOf } from './helm.ts';
import type { KubernetesObject } from './schemas.ts';

const helm = findHelm();
const missing = missingControlPlane();
const SMALLEST = overlay(valuesOf('values-small.yaml'), NEEDED);
const RELEASE_LIMIT_MS = 120_000;
/** What becomes of a Deployment in the control plane. */
const ROLLED = { timeout: 60_000, interval: 200 };

interface Deployment extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & { readonly generation: number };
  readonly status: { readonly observedGeneration?: number; readonly unavailableReplicas?: number };
}
interface Pod extends KubernetesObject {
  readonly status: { readonly phase: string };
}

describe('the chart, in a control plane of Kubernetes', () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    if ('missing' in helm || missing !== undefined) return;
    plane = await startControlPlane();
  }, 180_000);
  beforeEach(({ skip }) => {
    if ('missing' in helm) skip(helm.missing);
    if (missing !== undefined) skip(missing);
  });
  afterAll(() => plane?.[Symbol.asyncDispose](), 60_000);

  const inNamespace = async (namespace: string) => {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await plane.call('POST', '/api/v1/namespaces', { metadata: { name: namespace, labels } });
    const list = async <T extends KubernetesObject>(path: string): Promise<readonly T[]> =>
      (await plane.call<{ items: readonly T[] }>('GET', `${path.replace('*', `namespaces/${namespace}`)}`)).items;
    return {
      release: (action: 'install' | 'upgrade' | 'uninstall', values: Values = {}) =>
        release({ plane, namespace, action, values }),
      list,
      /** Once each Deployment has the pods that it asks for. */
      untilRolled: () =>
        vi.waitFor(async () => {
          const [deployments, pods] = [
            await list<Deployment>('/apis/apps/v1/*/deployments'),
            await list<Pod>('/api/v1/*/pods'),
          ];
          for (const { metadata, status, spec } of deployments) {
            expect(status.observedGeneration, metadata.name).toBe(metadata.generation);
            expect(status.unavailableReplicas ?? 0, metadata.name).toBeGreaterThanOrEqual(spec.replicas);
          }
          const wanted = deployments.reduce((sum, { spec }) => sum + spec.replicas, 0);
          expect(pods.length).toBeGreaterThanOrEqual(wanted);
          expect(new Set(pods.map(({ status }) => status.phase))).toEqual(new Set(['Pending']));
          return deployments;
        }, ROLLED),
    };
  };

  it('is installed, rolls with an upgrade, and leaves nothing once it is removed', async () => {
    const { release, list, untilRolled } = await inNamespace('backup');
    release('install', SMALLEST);
    const deployments = await untilRolled();
    expect(deployments.map(({ metadata }) => metadata.labels?.['app.kubernetes.io/component']).sort()).toEqual([
      'backup-service',
      'executor-worker',
      'gateway',
      'scheduler-service',
      'strategy-service',
    ]);

    release('upgrade', overlay(SMALLEST, { image: { tag: 'next' } }));
    await untilRolled();
    await vi.waitFor(async () => {
      const sets = await list('/apis/apps/v1/*/replicasets');
      expect(sets).toHaveLength(2 * deployments.length);
    }, ROLLED);

    release('uninstall');
    await vi.waitFor(async () => {
      for (const path of [
        '/apis/apps/v1/*/deployments',
        '/apis/apps/v1/*/replicasets',
        '/api/v1/*/pods',
        '/api/v1/*/services',
      ])
        expect(await list(path), path).toEqual([]);
    }, ROLLED);
  }, 300_000);

  it('is taken with every switch on: the server has each object as it was rendered', async () => {
    const { release, list, untilRolled } = await inNamespace('everything');
    if ('missing' in helm) return;
    release('install', EVERYTHING);
    await untilRolled();
    const { objects } = askHelm(helm.python, { lint: {}, render: { everything: EVERYTHING } }).render.everything ?? {};
    const kinds = new Map(objects?.map(({ apiVersion, kind }) => [`${apiVersion} ${kind}`, { apiVersion, kind }]));
    for (const [name, { apiVersion, kind }] of kinds) {
      const root = apiVersion.includes('/') ? '/apis' : '/api';
      const plural = `${kind.toLowerCase().replace(/y$/, 'ie').replace(/ss$/, 'sse')}s`;
      const found = (await list(`${root}/${apiVersion}/*/${plural}`)).map(({ metadata }) => metadata.name);
      const rendered = objects?.filter((one) => one.apiVersion === apiVersion && one.kind === kind);
      expect(found, name).toEqual(expect.arrayContaining(rendered?.map(({ metadata }) => metadata.name) ?? []));
    }
    expect([...kinds.keys()]).toEqual(
      expect.arrayContaining([
        'keda.sh/v1alpha1 ScaledObject',
        'keda.sh/v1alpha1 ScaledJob',
        'policy/v1 PodDisruptionBudget',
      ]),
    );
  }, 300_000);
});

/** @throws what Helm or the server has against it */
function release({ plane, ...asked }: { plane: ControlPlane; namespace: string; action: string; values: Values }) {
  if ('missing' in helm) throw new Error(helm.missing);
  const { kubeconfig, folder } = plane;
  const { status, stderr } = spawnSync(helm.python, [join(import.meta.dirname, 'release.py')], {
    input: JSON.stringify({ chart: CHART, kubeconfig, ...asked }),
    encoding: 'utf8',
    timeout: RELEASE_LIMIT_MS,
    // Helm keeps its caches there.
    env: { PATH: process.env.PATH, HOME: folder, PYTHONDONTWRITEBYTECODE: '1' },
  });
  if (status !== 0) throw new Error(`Helm could not ${asked.action}: ${stderr.trim().split('\n').at(-1)}`);
}
