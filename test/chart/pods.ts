/**
 * Runs the pods of a rendered chart on this machine, one of each Deployment: the same variables, files, probes and signals. Each
 * port is a free one.
 *
 * 1. As processes of the checkout, each pod has its paths below a folder of its own.
 * 2. As containers of their images, pods have the paths, the rights and the limits of memory that the chart says.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@tidemark/local-stack/ports';
import type { ServiceKind } from '@tidemark/local-stack/service-kinds';
import { vi } from 'vitest';
import { asContainers, asProcesses } from './pod-runtimes.ts';
import type { Podman } from './podman.ts';
import type { KubernetesObject } from './schemas.ts';
import { fillVolumes, type Secrets } from './volumes.ts';

/** What a cluster of Kubernetes would hold beside the chart. */
export interface Surroundings {
  /** Where everything of the pods lies. */
  readonly folder: string;
  /** By the name of the Secret, and the key in it. */
  readonly secrets: Secrets;
  /** A program that stands in the place of `/br` of PingCAP's image. */
  readonly br: string;
  /** What runs pods as containers of their images; without, they are processes of the checkout. */
  readonly podman?: Podman;
}

/** A pod that runs, or ran. */
export interface Pod {
  readonly component: ServiceKind;
  /** What it is called below `folder`. */
  readonly name: string;
  /** Where a port of this name is, as host:port. */
  address(port: string): string;
  /** Asks one of its probes; answers the status. */
  probe(which: 'startupProbe' | 'livenessProbe' | 'readinessProbe'): Promise<number>;
  log(): string;
  /** Runs a command where it runs; answers what that printed. @throws Error when it fails */
  execute(...command: string[]): string;
  metrics(): Promise<string>;
  /** Its exit code, once it has ended; `undefined` where a signal ended it. */
  readonly ended: Promise<number | undefined>;
  /** Stops it as the kubelet does; answers its exit code, or `undefined` where it had to be killed after its grace period. */
  stop(): Promise<number | undefined>;
}

const HOST = '127.0.0.1';
const METRICS_MS = 5_000;

export interface Pods extends AsyncDisposable {
  /** One of each Deployment. */
  readonly pods: readonly Pod[];
  /** Starts a pod of the ScaledJob of this name, as KEDA would. */
  startJob(name: string): Promise<Pod>;
}

/** Starts the pods of Deployments, and answers once each is ready. */
export async function startPods(objects: readonly KubernetesObject[], surroundings: Surroundings): Promise<Pods> {
  const deployments = objects.filter(({ kind }) => kind === 'Deployment');
  const placed = await Promise.all(deployments.map(({ metadata, spec }) => place(metadata.name, spec.template)));

  /** Of `service:port` the pod behind it, as CoreDNS and the selector of the Service find it. */
  const resolve = (address: string): string | undefined => {
    const [host, port] = address.split(':');
    const service = objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === host);
    const selector: [string, string][] = Object.entries(service?.spec.selector ?? {});
    const pod = placed.find(({ template }) =>
      selector.every(([key, value]) => template.metadata.labels[key] === value),
    );
    const target = service?.spec.ports.find((one: { port: number }) => String(one.port) === port)?.targetPort;
    const there = pod?.ports.get(target);
    return service === undefined || there === undefined ? undefined : `${HOST}:${there}`;
  };

  await using started = new AsyncDisposableStack();
  const start = (one: Placed, stack = started) => {
    const pod = startPod(one, resolve, surroundings);
    stack.defer(async () => void (await pod.stop()));
    return pod;
  };
  const pods = placed.map((one) => start(one));
  for (const pod of pods)
    await vi.waitFor(
      async () => {
        const status = await pod.probe('readinessProbe');
        if (status !== 200) throw new Error(`${pod.name} is not ready: ${status}\n${pod.log().slice(-2_000)}`);
      },
      { timeout: 60_000, interval: 200 },
    );
  const resources = started.move();
  let jobs = 0;
  return {
    pods,
    async startJob(name) {
      const job = objects.find(({ kind, metadata }) => kind === 'ScaledJob' && metadata.name === name);
      jobs += 1;
      return start(await place(`${name}-job-${jobs}`, job?.spec.jobTargetRef.template), resources);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** A pod that is to be started, with the ports of this machine that it gets. */
interface Placed {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: a pod template that the schemas of Kubernetes know
  readonly template: any;
  readonly ports: ReadonlyMap<string, number>;
}

async function place(name: string, template: Placed['template']): Promise<Placed> {
  const places = template.spec.containers[0].ports.map(
    async ({ name: port }: { name: string }) => [port, await freePort()] as const,
  );
  return { name, template, ports: new Map<string, number>(await Promise.all(places)) };
}

function startPod(
  { name, template, ports }: Placed,
  resolve: (address: string) => string | undefined,
  { folder, secrets, br, podman }: Surroundings,
): Pod {
  const { spec, metadata } = template;
  const component: ServiceKind = metadata.labels['app.kubernetes.io/component'];
  const [container] = spec.containers;
  const root = join(folder, name);
  const volumes = fillVolumes(spec, root, secrets);

  const numbers = new Map<string, number>(
    container.ports.map((one: { name: string; containerPort: number }) => [
      String(one.containerPort),
      ports.get(one.name),
    ]),
  );
  /** A value of a variable, where this machine has what it names. */
  const translated = (variable: string, value: string): string => {
    if (/_PORT$/.test(variable)) return String(numbers.get(value) ?? value);
    if (/_SERVICE$/.test(variable)) return resolve(value) ?? value;
    if (podman) return value;
    return value.replaceAll(/(^|,)(\/[^,]*)/g, (_, before: string, path: string) => `${before}${join(root, path)}`);
  };
  const variables: { name: string; value: string }[] = container.env;
  const env = Object.fromEntries(variables.map((one) => [one.name, translated(one.name, one.value)]));
  const runtime = podman ? asContainers(podman, { spec, volumes, env, br }) : asProcesses({ component, root, env, br });
  for (const one of spec.initContainers ?? []) runtime.initialize(one);
  const child = runtime.start();
  const logFile = join(folder, `${name}.log`);
  const log = createWriteStream(logFile, { flags: 'a' });
  for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false });
  const ended = once(child, 'exit').then(() => child.exitCode ?? undefined);
  const fetched = (port: string, path: string, timeoutMs: number) =>
    fetch(`http://${HOST}:${ports.get(port)}${path}`, { signal: AbortSignal.timeout(timeoutMs) });

  return {
    component,
    name,
    address(port) {
      return `${HOST}:${ports.get(port)}`;
    },
    async probe(which) {
      const { path, port } = container[which].httpGet;
      return fetched(port, path, container[which].timeoutSeconds * 1_000).then(
        ({ status }) => status,
        () => 0,
      );
    },
    log: () => readFileSync(logFile, 'utf8'),
    execute: (...command) => runtime.execute(command),
    metrics: async () => (await fetched('operations', '/metrics', METRICS_MS)).text(),
    ended,
    async stop() {
      if (hasEnded(child)) return child.exitCode ?? undefined;
      const hook: string[] | undefined = container.lifecycle?.preStop?.exec.command;
      if (hook) runtime.execute(hook);
      child.kill('SIGTERM');
      const grace = setTimeout(() => runtime.kill(), spec.terminationGracePeriodSeconds * 1_000);
      const code = await ended;
      clearTimeout(grace);
      return code;
    },
  };
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;
