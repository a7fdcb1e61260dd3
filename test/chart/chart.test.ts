/**
 * The Helm chart, rendered by Helm and asked of the schemas of Kubernetes, KEDA and the Prometheus operator. What it says to
 * the processes is held against docs/settings.md and the alert rules.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { dashboards } from '@tidemark/dashboards/dashboards';
import { REPOSITORY } from '@tidemark/local-stack/repository';
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { EVERYTHING, NEEDED } from './everything.ts';
import { askHelm, CHART, findHelm, overlay, type Rendered, type Values, valuesOf } from './helm.ts';
import type { KubernetesObject } from './schemas.ts';

const SIZES = ['values-small.yaml', 'values-medium.yaml', 'values-large.yaml'] as const;

/** With all that is not valid in one field, so that each sentence is of that. */
const object = (apiVersion: string, kind: string, spec: unknown) => ({
  extraObjects: [{ apiVersion, kind, metadata: { name: 'planted' }, spec }],
});
const PLANTED: Readonly<Record<string, Values>> = {
  replica: object('apps/v1', 'Deployment', {
    selector: {},
    template: { metadata: {}, spec: { containers: [{ name: 'x' }] } },
    replica: 1,
  }),
  pollInterval: object('keda.sh/v1alpha1', 'ScaledObject', {
    scaleTargetRef: { name: 'x' },
    triggers: [{ type: 'cron', metadata: {} }],
    pollInterval: 15,
  }),
  scrapeIntervall: object('monitoring.coreos.com/v1', 'ServiceMonitor', {
    selector: {},
    endpoints: [{ port: 'x', scrapeIntervall: '30s' }],
  }),
  successfulJobHistoryLimit: object('keda.sh/v1alpha1', 'ScaledJob', {
    jobTargetRef: { template: { spec: { containers: [{ name: 'x' }] } } },
    triggers: [{ type: 'cron', metadata: {} }],
    successfulJobHistoryLimit: 5,
  }),
  restartPolice: object('keda.sh/v1alpha1', 'ScaledJob', {
    jobTargetRef: { template: { spec: { containers: [{ name: 'x' }], restartPolice: 'Never' } } },
    triggers: [{ type: 'cron', metadata: {} }],
  }),
  maxReplicaCount: object('keda.sh/v1alpha1', 'ScaledObject', {
    scaleTargetRef: { name: 'x' },
    triggers: [{ type: 'cron', metadata: {} }],
    maxReplicaCount: 'ten',
  }),
};

/** What is wrong, and what Helm's sentence must name. */
const REFUSED: readonly (readonly [title: string, values: Values, words: readonly string[]])[] = [
  ['a typo in a name', { gatway: {} }, ['gatway']],
  ['a typo further in', { gateway: { servce: { port: 1 } } }, ['/gateway', 'servce']],
  ['a typo in a pool', { workers: { pools: { default: { slotts: 2 } } } }, ['/workers/pools/default', 'slotts']],
  ['a typo in KEDA', { workers: { defaults: { keda: { maxReplica: 2 } } } }, ['/workers/defaults/keda', 'maxReplica']],
  [
    'a typo in a credential',
    { credentials: { tokens: { existngSecret: 'x' } } },
    ['/credentials/tokens', 'existngSecret'],
  ],
  ['a typo in a setting', { settings: { TIDEMARK_RETRY_SECOND: 3 } }, ['/settings', 'TIDEMARK_RETRY_SECOND']],
  ['a setting that the chart makes', { settings: { TIDEMARK_PORT: 3 } }, ['/settings', 'TIDEMARK_PORT']],
  [
    'a word for a setting that is a number',
    { settings: { TIDEMARK_RETRY_SECONDS: 'soon' } },
    ['/settings/TIDEMARK_RETRY_SECONDS', 'number'],
  ],
  [
    'a setting beyond its bounds',
    { settings: { TIDEMARK_FAILURE_LIMIT: 101 } },
    ['/settings/TIDEMARK_FAILURE_LIMIT', '100'],
  ],
  [
    'a level of logging that is none',
    { settings: { TIDEMARK_LOG_LEVEL: 'loud' } },
    ['/settings/TIDEMARK_LOG_LEVEL', 'debug'],
  ],
  ['a section that is taken away', { networkPolicy: null }, ['missing property', 'networkPolicy']],
  ['a word for a number', { gateway: { replicas: 'two' } }, ['/gateway/replicas', 'integer']],
  ['too many slots', { workers: { defaults: { slots: 65 } } }, ['/workers/defaults/slots', '64']],
  ['a pool that cannot be', { workers: { pools: { Europe_1: {} } } }, ['/workers/pools', 'Europe_1']],
  [
    'a gateway that nothing protects',
    { gateway: { allowOpen: false } },
    ['gateway.tls.existingSecret', 'gateway.allowOpen'],
  ],
  ['workers without br', { workers: { defaults: { br: { versions: [] } } } }, ['workers.pools.default.br.versions']],
  [
    'KEDA without Prometheus',
    { keda: { prometheusAddress: '' }, workers: { defaults: { keda: { enabled: true } } } },
    ['workers.pools.default.keda.enabled', 'keda.prometheusAddress'],
  ],
  [
    'fewer workers at most than at least',
    { workers: { defaults: { keda: { minReplicas: 11 } } } },
    ['workers.pools.default.keda.minReplicas'],
  ],
  [
    'a way to scale that KEDA does not have',
    { workers: { defaults: { keda: { kind: 'ScaledJobs' } } } },
    ['/workers/defaults/keda/kind', 'ScaledJob'],
  ],
  [
    'Jobs of more than one slot',
    { workers: { defaults: { slots: 2, keda: { enabled: true, kind: 'ScaledJob' } } } },
    ['workers.pools.default.slots', 'ScaledJob'],
  ],
  [
    'Jobs for which there is no room',
    { workers: { defaults: { keda: { enabled: true, kind: 'ScaledJob', minReplicas: 10 } } } },
    ['workers.pools.default.keda.maxReplicas', 'minReplicas'],
  ],
  ['a setting that makes workers end', { settings: { TIDEMARK_MAX_TASKS: 1 } }, ['/settings', 'TIDEMARK_MAX_TASKS']],
  [
    'mutual TLS without a certificate',
    { tls: { enabled: true } },
    ['tls.existingSecret', 'tls.secrets.backup-service'],
  ],
  [
    'a name that gets too long',
    { fullnameOverride: 'a'.repeat(40), workers: { pools: { [`b${'c'.repeat(30)}`]: {} } } },
    ['fullnameOverride'],
  ],
];

/** Secrets of operators name their keys as they like. */
const ONE_KEY: Values = {
  credentials: {
    rabbitmqUrl: { existingSecret: 'rabbitmq', key: 'uri' },
    mongodbUrl: { existingSecret: 'mongodb', key: 'uri' },
  },
};

/** Of some processes alone, by the variables that docs/traces.md has. */
const SOME_TRACES: Values = {
  networkPolicy: { enabled: true, traces: { ports: [4319] } },
  backupService: { extraEnv: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://collector:4319' }] },
  workers: {
    pools: {
      europe: { extraEnv: [{ name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', value: 'http://collector:4319/v1/traces' }] },
    },
  },
};

const ofSizes = Object.fromEntries(SIZES.map((file) => [file, overlay(valuesOf(file), NEEDED)]));
const found = findHelm();
const helm =
  'python' in found
    ? askHelm(found.python, {
        lint: { 'values.yaml': {}, ...ofSizes, everything: EVERYTHING },
        render: {
          ...ofSizes,
          everything: EVERYTHING,
          'by default': NEEDED,
          'one key in two Secrets': overlay(NEEDED, ONE_KEY),
          'traces of two processes': overlay(NEEDED, SOME_TRACES),
          ...Object.fromEntries(Object.entries(PLANTED).map(([field, values]) => [field, overlay(NEEDED, values)])),
          ...Object.fromEntries(REFUSED.map(([title, values]) => [title, overlay(NEEDED, values)])),
        },
      })
    : undefined;

/** A process as the chart starts it. */
interface Process {
  readonly name: string;
  readonly process: string;
  /** The Deployment or ScaledJob. */
  readonly workload: KubernetesObject;
  readonly labels: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: the schemas of Kubernetes were asked before
  readonly pod: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly container: any;
  readonly env: ReadonlyMap<string, string | undefined>;
}

function rendered(name: string): Rendered {
  const one = helm?.render[name];
  if (one === undefined) throw new Error(`nothing was rendered as ${name}`);
  expect(one.refused).toBeUndefined();
  return one;
}

const ofKind = (name: string, kind: string) => rendered(name).objects.filter((one) => one.kind === kind);

function processesOf(name: string): readonly Process[] {
  const workloads = [...ofKind(name, 'Deployment'), ...ofKind(name, 'ScaledJob')];
  return workloads.map((workload) => {
    const { metadata, spec: pod } = (workload.spec.jobTargetRef ?? workload.spec).template;
    const [container] = pod.containers;
    const env: { name: string; value?: string }[] = container.env;
    return {
      name: workload.metadata.name,
      process: metadata.labels['app.kubernetes.io/component'],
      workload,
      labels: metadata.labels,
      pod,
      container,
      env: new Map(env.map((one) => [one.name, one.value])),
    };
  });
}

/** Of a pod the files of credentials, and of each the Secret and the key in it. */
function credentialsOf(pod: Process['pod']): ReadonlyMap<string, string> {
  const volume = pod.volumes.find(({ name }: { name: string }) => name === 'credentials');
  const sources: { secret: { name: string; items: { key: string; path: string }[] } }[] = volume.projected.sources;
  return new Map(
    sources.flatMap(({ secret }) => secret.items.map(({ key, path }) => [path, `${secret.name}/${key}`] as const)),
  );
}

/** Of a settings page the names, and who reads each. */
function settingsPage(): ReadonlyMap<string, string> {
  const rows = readFileSync(join(REPOSITORY, 'docs', 'settings.md'), 'utf8').matchAll(
    /^\| `(TIDEMARK_\w+)` .*\| ([^|]+) \|$/gm,
  );
  return new Map([...rows].map(([, name = '', readers = '']) => [name, readers]));
}

const selects = (selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>> = {}) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

/** The paths of all values, and whether nothing is below. */
function pathsOf(values: Values, above = ''): ReadonlyMap<string, boolean> {
  return new Map(
    Object.entries(values).flatMap(([key, value]) => {
      const below = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : {};
      const path = `${above}${key}`;
      return [[path, Object.keys(below).length === 0] as const, ...pathsOf(below, `${path}.`)];
    }),
  );
}

/** A path, and those above it but for the names of processes, which say nothing of what they hold. */
function parentsOf(path: string): readonly string[] {
  const parts = path.split('.');
  const paths = parts.map((_, index) => parts.slice(0, index + 1).join('.'));
  return paths.filter(
    (one) => one === path || !/^(gateway|(strategy|backup|scheduler)Service|workers\.defaults)$/.test(one),
  );
}

const RENDERED = [...SIZES, 'everything', 'by default'] as const;

describe('the Helm chart', () => {
  beforeEach(({ skip }) => {
    if ('missing' in found) skip(found.missing);
  });

  it.each(['values.yaml', ...SIZES, 'everything'])('has nothing that lint finds, with %s', (name) => {
    expect(helm?.lint[name]).toEqual([]);
  });

  it.each(RENDERED)('makes only what Kubernetes, KEDA and the Prometheus operator take, with %s', (name) => {
    const { violations, objects } = rendered(name);
    expect(violations).toEqual([]);
    expect(objects.length).toBeGreaterThan(15);
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(names).toEqual([...new Set(names)]);
  });

  it('makes every kind of object once its switch is on', () => {
    expect([...new Set(rendered('everything').objects.map(({ kind }) => kind))].sort()).toEqual([
      'ConfigMap',
      'Deployment',
      'Ingress',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'PodMonitor',
      'PrometheusRule',
      'ScaledJob',
      'ScaledObject',
      'Service',
      'ServiceAccount',
      'ServiceMonitor',
    ]);
    expect(
      ofKind('everything', 'ConfigMap')
        .map(({ metadata }) => metadata.name)
        .sort(),
    ).toEqual([
      'backups-dashboard-api',
      'backups-dashboard-dependencies',
      'backups-dashboard-execution',
      'backups-dashboard-fleet',
      'backups-note',
      'tidemark-authorities',
    ]);
  });

  it.each(Object.keys(PLANTED))('is looked at closely enough to find a wrong %s', (field) => {
    const { violations } = rendered(field);
    expect(violations.length).toBeGreaterThan(0);
    for (const violation of violations) {
      expect(violation).toContain('planted');
      expect(violation).toContain(field);
    }
  });

  it.each(REFUSED)('refuses %s, and names it', (title, _, words) => {
    for (const word of words) expect(helm?.render[title]?.refused).toContain(word);
  });

  it('has every process of docker-compose.yml', () => {
    const compose = parse(readFileSync(join(REPOSITORY, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
      services: Record<string, { build?: object }>;
    };
    const ours = Object.keys(compose.services).filter((name) => compose.services[name]?.build);
    expect(
      processesOf('by default')
        .map(({ process }) => process)
        .sort(),
    ).toEqual(ours.sort());
  });

  it.each(RENDERED)('sets only what the process reads, each variable once, with %s', (name) => {
    const page = settingsPage();
    expect(page.size).toBeGreaterThan(50);
    const traces = readFileSync(join(REPOSITORY, 'docs', 'traces.md'), 'utf8');
    for (const { process, env, container } of processesOf(name)) {
      expect(env.size).toBe(container.env.length);
      for (const variable of env.keys()) {
        // docs/security.md has this one of Node.js; it comes from extraEnv.
        if (variable === 'NODE_EXTRA_CA_CERTS') continue;
        if (variable.startsWith('OTEL_')) {
          expect(traces).toContain(`\`${variable}\``);
          continue;
        }
        const readers = page.get(variable) ?? page.get(variable.replace(/_FILE$/, ''));
        expect(readers, `${process}: ${variable}`).toMatch(new RegExp(`\\b(all|${process})\\b`));
      }
    }
  });

  it('gives a setting to those that read it, and large numbers in full', () => {
    const byProcess = new Map(processesOf('everything').map((one) => [one.name, one.env]));
    expect(byProcess.get('backups-worker-default')?.get('TIDEMARK_BACKUPMETA_BYTES')).toBe('536870912');
    expect(byProcess.get('backups-worker-default')?.get('TIDEMARK_GRACE_SECONDS')).toBe('45.5');
    expect(byProcess.get('backups-backup-service')?.get('TIDEMARK_GRACE_SECONDS')).toBe('45.5');
    expect(byProcess.get('backups-gateway')?.get('TIDEMARK_RATE_PER_SECOND')).toBe('1000000');
    expect(byProcess.get('backups-backup-service')?.has('TIDEMARK_RATE_PER_SECOND')).toBe(false);
  });

  it.each(RENDERED)('gives every pod no right that it does not need, with %s', (name) => {
    for (const { pod } of processesOf(name)) {
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      for (const container of [...pod.containers, ...(pod.initContainers ?? [])])
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      expect(Object.keys(pod).filter((key) => key.startsWith('host'))).toEqual([]);
    }
  });

  it('gives each process its own credentials alone, as files', () => {
    const secretsOf = (name: string) =>
      Object.fromEntries(processesOf(name).map(({ name: of, pod }) => [of, [...credentialsOf(pod).values()].sort()]));
    const service = ['mongodb-user/connectionString.standard', 'tidemark-credentials/service-token'];
    const worker = ['rabbitmq-default-user/connection_string', 'tidemark-credentials/service-token'];
    expect(secretsOf('everything')).toEqual({
      'backups-gateway': ['tidemark-credentials/service-token', 'tidemark-credentials/tokens.json'],
      'backups-strategy-service': service,
      'backups-scheduler-service': service,
      'backups-backup-service': [...service, ...worker.slice(0, 1)].sort(),
      ...Object.fromEntries(
        ['by-night', 'default', 'europe', 'overseas'].map((pool) => [`backups-worker-${pool}`, worker]),
      ),
    });
    for (const name of RENDERED)
      for (const { container, pod } of processesOf(name)) {
        const mounts: { name: string; mountPath: string }[] = container.volumeMounts;
        const volumes: { name: string }[] = pod.volumes;
        expect(mounts.map((mount) => mount.name).sort()).toEqual(volumes.map((volume) => volume.name).sort());
        const files: { name: string; value?: string }[] = container.env.filter(({ name: variable }: { name: string }) =>
          /_FILE$|_DIR$|^NODE_EXTRA/.test(variable),
        );
        for (const { name: variable, value } of files)
          expect(
            mounts.some(
              ({ mountPath }) => `${value}/`.startsWith(`${mountPath}/`) || mountPath.startsWith(`${value}/`),
            ),
            variable,
          ).toBe(true);
      }
  });

  it('keeps credentials apart that have one key in two Secrets', () => {
    const [backupService] = processesOf('one key in two Secrets').filter(({ process }) => process === 'backup-service');
    const credentials = credentialsOf(backupService?.pod);
    const credentialOf = (variable: string) => credentials.get(basename(backupService?.env.get(variable) ?? ''));
    expect(credentialOf('TIDEMARK_AMQP_URL_FILE')).toBe('rabbitmq/uri');
    expect(credentialOf('TIDEMARK_MONGODB_URL_FILE')).toBe('mongodb/uri');
  });

  it.each(RENDERED)('asks the operations listener whether a process lives and is ready, with %s', (name) => {
    for (const { container, env } of processesOf(name)) {
      const ports = new Map(
        container.ports.map((one: { name: string; containerPort: number }) => [one.name, String(one.containerPort)]),
      );
      expect(ports.get('operations')).toBe(env.get('TIDEMARK_OPERATIONS_PORT'));
      expect(ports.get('api')).toBe(env.get('TIDEMARK_PORT'));
      expect(ports.get('grpc')).toBe(env.get('TIDEMARK_GRPC_PORT'));
      expect(container.livenessProbe.httpGet).toEqual({ path: '/livez', port: 'operations' });
      expect(container.startupProbe.httpGet).toEqual({ path: '/livez', port: 'operations' });
      expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'operations' });
    }
  });

  it('waits for a worker that stops for its drain, two graces of br and 40 s, and for the others longer than they take', () => {
    const seconds = (name: string) =>
      Object.fromEntries(processesOf(name).map((one) => [one.name, one.pod.terminationGracePeriodSeconds]));
    expect(seconds('by default')).toEqual({
      'tidemark-gateway': 105,
      'tidemark-strategy-service': 100,
      'tidemark-backup-service': 100,
      'tidemark-scheduler-service': 100,
      'tidemark-worker-default': 36_100,
    });
    expect(seconds('everything')).toMatchObject({ 'backups-worker-default': 36_131, 'backups-worker-europe': 131 });
  });

  it('replaces the next copy of what is called only when callers could find the last one', () => {
    for (const { process, workload } of processesOf('values-large.yaml')) {
      const { minReadySeconds, strategy } = workload.spec;
      expect(minReadySeconds, process).toBe(process === 'executor-worker' ? undefined : 15);
      expect(strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
    }
  });

  it('lets values of a pool win over those of all pools, also where they are nothing', () => {
    const [europe] = processesOf('everything').filter(({ name }) => name === 'backups-worker-europe');
    expect(Object.fromEntries(europe?.env ?? [])).toMatchObject({
      TIDEMARK_POOL: 'europe',
      TIDEMARK_SLOTS: '2',
      TIDEMARK_DRAIN_SECONDS: '0',
    });
    expect(europe?.workload.spec.replicas).toBe(6);
    expect(europe?.pod).not.toHaveProperty('tolerations');
    expect(europe?.pod.nodeSelector).toEqual({ 'kubernetes.io/os': 'linux' });
  });

  it('puts pods where they are told, with all that is added to them', () => {
    const { common } = EVERYTHING as { common: Readonly<Record<string, Values>> };
    for (const { name, process, workload, labels, pod, container } of processesOf('everything')) {
      const { annotations } = (workload.spec.jobTargetRef ?? workload.spec).template.metadata;
      expect(annotations, name).toMatchObject(common.podAnnotations ?? {});
      expect(labels, name).toMatchObject({ team: 'storage', ...common.podLabels });
      expect(pod, name).toMatchObject({
        imagePullSecrets: [{ name: 'registry' }],
        priorityClassName: common.priorityClassName,
        affinity: common.affinity,
        ...(name !== 'backups-worker-europe' && { tolerations: common.tolerations }),
      });
      const [spread] = pod.topologySpreadConstraints;
      expect(spread.topologyKey).toBe('kubernetes.io/hostname');
      const others = processesOf('everything').filter((one) => selects(spread.labelSelector.matchLabels, one.labels));
      expect(new Set(others.map((one) => one.name)), name).toEqual(new Set([name]));
      expect(container).toMatchObject({
        image: `registry.example.com/tidemark/${process}:1.10`,
        imagePullPolicy: 'Always',
        envFrom: common.extraEnvFrom,
        resources: { requests: { cpu: expect.any(String) }, limits: { memory: expect.any(String) } },
      });
    }
  });

  it('copies each br out of the image of its version', () => {
    const [worker] = processesOf('everything').filter(({ process }) => process === 'executor-worker');
    expect(worker?.env.get('TIDEMARK_BR')).toBe('/opt/br/br-v8.5.4,/opt/br/br-v7.5.6,/opt/own/br');
    const copies: { name: string; image: string; command: string[] }[] = worker?.pod.initContainers;
    expect(copies.map(({ name, image, command }) => ({ name, image, command }))).toEqual(
      ['v8.5.4', 'v7.5.6'].map((version) => ({
        name: `br-${version.replaceAll('.', '-')}`,
        image: `pingcap/br:${version}`,
        command: ['cp', '/br', `/opt/br/br-${version}`],
      })),
    );
  });

  it.each(RENDERED)('has Services, budgets and monitors of pods and ports that there are, with %s', (name) => {
    const processes = processesOf(name);
    const of = (selector: Readonly<Record<string, string>>) =>
      processes.filter(({ labels }) => selects(selector, labels));
    for (const { metadata, spec } of ofKind(name, 'Service')) {
      const [one, ...more] = of(spec.selector);
      expect(more, metadata.name).toEqual([]);
      const ports: string[] = one?.container.ports.map((port: { name: string }) => port.name);
      for (const { targetPort } of spec.ports) expect(ports).toContain(targetPort);
    }
    for (const { spec } of ofKind(name, 'PodDisruptionBudget')) expect(of(spec.selector.matchLabels)).toHaveLength(1);
    for (const { spec } of ofKind(name, 'PodMonitor')) {
      const workers = processes.filter(({ process }) => process === 'executor-worker');
      expect(of(spec.selector.matchLabels)).toEqual(workers);
    }
    for (const { spec } of ofKind(name, 'ServiceMonitor')) {
      const seen = ofKind(name, 'Service').filter(
        ({ metadata, spec: service }) =>
          selects(spec.selector.matchLabels, metadata.labels) &&
          service.ports.some((port: { name: string }) => port.name === spec.endpoints[0].port),
      );
      // By their jobs; the rule about a missing scheduler-service goes by that.
      expect(seen.map(({ metadata }) => metadata.labels?.[spec.jobLabel]).sort()).toEqual([
        'backup-service',
        'gateway',
        'scheduler-service',
        'strategy-service',
      ]);
    }
  });

  it.each(['values-large.yaml', 'everything'])('lets through what processes call, and no more, with %s', (name) => {
    const processes = processesOf(name);
    const policies = new Map(
      ofKind(name, 'NetworkPolicy').map(({ spec }) => {
        const [first, ...more] = processes.filter(({ labels }) => selects(spec.podSelector.matchLabels, labels));
        expect(more.every(({ process }) => process === first?.process)).toBe(true);
        return [first?.process, spec] as const;
      }),
    );
    const peer = (one: { podSelector?: { matchLabels: Record<string, string> } }) =>
      one.podSelector?.matchLabels['app.kubernetes.io/component'];
    for (const { process, env } of processes) {
      const calls = [...env.keys()]
        .filter((variable) => /_SERVICE$/.test(variable))
        .map((variable) => variable.replace('TIDEMARK_', '').replaceAll('_', '-').toLowerCase());
      const policy = policies.get(process);
      const outside = policy.egress.flatMap(({ to = [] }: { to?: object[] }) => to.map(peer)).filter(Boolean);
      expect(outside.sort(), process).toEqual(calls.sort());
      for (const callee of calls) {
        const address = env.get(`TIDEMARK_${callee.toUpperCase().replaceAll('-', '_')}`);
        const service = ofKind(name, 'Service').find(({ metadata }) => metadata.name === address?.split(':')[0]);
        expect(service?.spec.ports.map(({ port }: { port: number }) => String(port))).toContain(address?.split(':')[1]);
      }
    }
    for (const [callee, policy] of policies) {
      const callers = processes.filter(({ env }) => env.has(`TIDEMARK_${callee?.toUpperCase().replaceAll('-', '_')}`));
      const inside = policy.ingress.flatMap(({ from = [] }: { from?: object[] }) => from.map(peer)).filter(Boolean);
      expect(inside.sort(), callee).toEqual([...new Set(callers.map(({ process }) => process))].sort());
    }
  });

  it('lets processes out to what is not of the release, each as far as it uses it', () => {
    /** By process, the ports of the rules that name nobody of the release. */
    const portsOf = (name: string): Readonly<Record<string, readonly (number | string)[]>> => {
      const entries = ofKind(name, 'NetworkPolicy').map(({ spec }) => {
        const rules: { ports?: { port: number | string }[]; to?: { podSelector?: object }[] }[] = spec.egress;
        const outside = rules.filter(({ to }) => to?.every(({ podSelector }) => podSelector === undefined) ?? true);
        const ports = outside.flatMap((rule) => rule.ports ?? [{ port: 'all' }]).map(({ port }) => port);
        return [spec.podSelector.matchLabels['app.kubernetes.io/component'], [...new Set(ports)]] as const;
      });
      return Object.fromEntries(entries);
    };
    expect(portsOf('values-large.yaml')).toEqual({
      gateway: [53],
      'strategy-service': [53, 27017],
      'backup-service': [53, 27017, 5671, 5672],
      'scheduler-service': [53, 27017, 443, 465, 587],
      'executor-worker': [53, 5671, 5672, 'all'],
    });
    expect(portsOf('everything')).toEqual({
      gateway: [53, 443, 4318],
      'strategy-service': [53, 27017, 4318],
      'backup-service': [53, 27017, 5671, 5672, 4318],
      'scheduler-service': [53, 27017, 4318, 443, 465, 587],
      'executor-worker': [53, 5671, 5672, 4318, 'all', 443],
    });
    const some = Object.entries(portsOf('traces of two processes')).filter(([, ports]) => ports.includes(4319));
    expect(some.map(([process]) => process).sort()).toEqual(['backup-service', 'executor-worker']);
    const collector = processesOf('everything').map(({ env }) => env.get('OTEL_EXPORTER_OTLP_ENDPOINT'));
    expect(new Set(collector)).toEqual(new Set(['http://otel-collector.monitoring:4318']));
    const [policy] = ofKind('everything', 'NetworkPolicy');
    const rule = policy?.spec.egress.find(({ ports }: { ports: { port: number }[] }) => ports?.[0]?.port === 4318);
    expect(rule.to).toEqual([{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }]);
    expect(processesOf('by default').some(({ env }) => env.has('OTEL_EXPORTER_OTLP_ENDPOINT'))).toBe(false);
  });

  it('scales a pool by the gauge that counts what runs, and leaves the number of its workers to KEDA', () => {
    const [one, ...more] = ofKind('everything', 'ScaledObject');
    expect(more).toEqual([]);
    const [trigger] = one?.spec.triggers ?? [];
    expect(trigger.metadata).toMatchObject({
      query: 'max(tidemark_pool_workers_wanted{pool="default",namespace="backup"})',
      threshold: '1',
    });
    const gauges = readFileSync(join(REPOSITORY, 'docs', 'workers.md'), 'utf8');
    expect(gauges).toContain('`tidemark_pool_workers_wanted`');
    const scaled = processesOf('everything').find(({ name }) => name === one?.spec.scaleTargetRef.name);
    expect(scaled?.workload.spec).not.toHaveProperty('replicas');
  });

  it('starts a worker for each task that those which stay cannot take, which ends with it and is not stopped by an upgrade', () => {
    const [byNight, overseas, ...more] = ofKind('everything', 'ScaledJob');
    expect(more).toEqual([]);
    const queryOf = (job: KubernetesObject | undefined): string => job?.spec.triggers[0].metadata.query;
    expect(queryOf(byNight)).toBe(
      'max(tidemark_pool_slots_wanted{pool="by-night",namespace="backup"}) + max(tidemark_pool_workers_draining{pool="by-night",namespace="backup"})',
    );
    expect(queryOf(overseas)).toBe(
      'clamp_min(max(tidemark_pool_slots_wanted{pool="overseas",namespace="backup"}) - 2, 0)',
    );
    const gauges = readFileSync(join(REPOSITORY, 'docs', 'workers.md'), 'utf8');
    for (const job of [byNight, overseas])
      for (const [gauge] of queryOf(job).matchAll(/tidemark_\w+/g)) expect(gauges).toContain(`\`${gauge}\``);
    expect([byNight, overseas].map((job) => job?.spec.maxReplicaCount)).toEqual([20, 18]);
    expect(overseas?.spec).toMatchObject({
      rollout: { strategy: 'gradual' },
      scalingStrategy: { strategy: 'default' },
      jobTargetRef: { parallelism: 1, completions: 1, backoffLimit: 0 },
    });

    const workers = processesOf('everything').filter(({ name }) => /-(by-night|overseas)$/.test(name));
    expect(
      workers.map(({ name, workload, env, pod }) => [
        name,
        workload.spec.replicas,
        pod.restartPolicy,
        env.get('TIDEMARK_MAX_TASKS'),
        env.get('TIDEMARK_IDLE_SECONDS'),
        pod.terminationGracePeriodSeconds,
      ]),
    ).toEqual([
      ['backups-worker-overseas', 2, undefined, undefined, undefined, 36_131],
      ['backups-worker-by-night', undefined, 'Never', '1', '120', 7_331],
      ['backups-worker-overseas', undefined, 'Never', '1', '90.5', 36_131],
    ]);
    // Kubernetes counts no pods of Jobs for a budget, and then lets none of the others go.
    const budgets = ofKind('everything', 'PodDisruptionBudget').map(({ spec }) => spec.selector.matchLabels);
    for (const { labels } of workers) expect(budgets.some((selector) => selects(selector, labels))).toBe(false);
  });

  it('has the rules of docs/alerts as they are, with the address of their runbooks where that is told', () => {
    const text = readFileSync(join(REPOSITORY, 'docs', 'alerts', 'tidemark.rules.yml'), 'utf8');
    expect(ofKind('values-medium.yaml', 'PrometheusRule').map(({ spec }) => spec)).toEqual([parse(text)]);
    const linked = text.replaceAll(
      'runbook_url: docs/',
      'runbook_url: https://git.example.com/tidemark/blob/main/docs/',
    );
    expect(linked).not.toBe(text);
    expect(ofKind('everything', 'PrometheusRule').map(({ spec }) => spec)).toEqual([parse(linked)]);
  });

  it('has the dashboards as they are, where the sidecar of Grafana finds them', () => {
    const maps = ofKind('everything', 'ConfigMap').filter(({ metadata }) => metadata.labels?.grafana_dashboard === '1');
    const found = maps.flatMap((map) => Object.values(map.data ?? {}).map((text) => JSON.parse(text)));
    expect(found.sort((one, other) => (one.uid < other.uid ? -1 : 1))).toEqual(
      Object.values(dashboards())
        .sort((one, other) => ((one.uid ?? '') < (other.uid ?? '') ? -1 : 1))
        .map((one) => JSON.parse(JSON.stringify(one))),
    );
  });

  it('tells the first three commands, and what a roll-out interrupts', () => {
    const { notes } = rendered('everything');
    expect(notes).toContain('kubectl -n backup rollout status deployment/backups-gateway');
    expect(notes).toContain('port-forward service/backups-gateway 4116:443');
    expect(notes).toContain('tidemark doctor --url https://127.0.0.1:4116');
    expect(notes).toContain('Workers of the pool europe have no drain time');
    expect(notes).not.toContain('Workers of the pool default');
  });
});

describe('the files of the Helm chart', () => {
  it('have every value in the README, and no other', () => {
    const readme = readFileSync(join(CHART, 'README.md'), 'utf8');
    const rows = readme.slice(readme.indexOf('## Values')).matchAll(/^\| (`.+?`) \| /gm);
    const told = new Set(
      [...rows].flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path)),
    );
    const all = pathsOf(valuesOf('values.yaml'));
    expect([...told].filter((path) => !all.has(path))).toEqual([]);
    const untold = [...all].filter(([path, isLeaf]) => isLeaf && !parentsOf(path).some((one) => told.has(one)));
    expect(untold.map(([path]) => path)).toEqual([]);
  });

  it('have the version of the workspace', () => {
    const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as Record<string, string>;
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string };
    expect([chart.version, chart.appVersion]).toEqual([version, version]);
  });
});
