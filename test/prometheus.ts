/** A real Prometheus and a real Alertmanager: those that are installed, else Debian's packages, unpacked into the cache of this checkout. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '@tidemark/local-stack/child';
import { unpackDebianPackages } from '@tidemark/local-stack/debian-package';
import { findOnPath } from '@tidemark/local-stack/find-program';
import { freePort } from '@tidemark/local-stack/ports';
import { untilListening } from '@tidemark/local-stack/until-listening';
import { stringify } from 'yaml';

export interface MonitoringPrograms {
  readonly prometheus: string;
  /** The program with its first arguments. */
  readonly alertmanager: readonly string[];
}

export interface Prometheus extends AsyncDisposable {
  /** The series that an expression gives now. @throws what Prometheus has against it */
  ask(expr: string): Promise<readonly Series[]>;
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** When, and the number as a text. */
  readonly value: readonly [number, string];
}

export interface PrometheusOptions {
  /** By their jobs, host:port. */
  readonly targets: Readonly<Record<string, readonly string[]>>;
  /** The content of a file of rules, evaluated each second. */
  readonly rules?: object;
  /** Where alerts are sent to, host:port. */
  readonly alertmanager?: string;
}

const PACKAGES = ['prometheus', 'prometheus-alertmanager'];
const FIND_LIMIT_MS = 300_000;
const START_LIMIT_MS = 60_000;
const STOP_GRACE_MS = 10_000;
const ANSWER_LIMIT_MS = 10_000;
/** Debian's Alertmanager reads its templates below /usr/share, where they are once it is installed. */
const OWN_SHARE = 'mount --bind "$1" /usr/share && shift && exec "$@"';

/** @throws a sentence that says what is missing */
export async function findMonitoring(): Promise<MonitoringPrograms> {
  const prometheus = findOnPath('prometheus');
  const alertmanager = findOnPath('prometheus-alertmanager') ?? findOnPath('alertmanager');
  if (prometheus !== undefined && alertmanager !== undefined) return { prometheus, alertmanager: [alertmanager] };
  const unshare = findOnPath('unshare');
  if (unshare === undefined) throw new Error('The Alertmanager needs unshare on PATH, or to be installed.');
  const root = await unpackDebianPackages(PACKAGES, { say: console.error, signal: AbortSignal.timeout(FIND_LIMIT_MS) });
  const [bin, share] = [join(root, 'usr', 'bin'), join(root, 'usr', 'share')];
  const ownMounts = [unshare, '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
  return {
    prometheus: prometheus ?? join(bin, 'prometheus'),
    alertmanager: [...ownMounts, 'sh', '-c', OWN_SHARE, 'sh', share, join(bin, 'prometheus-alertmanager')],
  };
}

/** A Prometheus that scrapes these addresses every two seconds. */
export async function startPrometheus(
  program: string,
  { targets, rules, alertmanager }: PrometheusOptions,
): Promise<Prometheus> {
  const every = '2s';
  const server = await startServer('prometheus', [program], (folder) => {
    writeFileSync(join(folder, 'rules.yml'), stringify(rules ?? { groups: [] }));
    return {
      config: {
        global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: '1s' },
        rule_files: [join(folder, 'rules.yml')],
        scrape_configs: Object.entries(targets).map(([job_name, addresses]) => ({
          job_name,
          static_configs: [{ targets: addresses }],
        })),
        ...(alertmanager !== undefined && {
          alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }] },
        }),
      },
      args: ['--storage.tsdb.path', join(folder, 'data'), '--rules.alert.resend-delay', '5s'],
    };
  });
  return {
    async ask(expr) {
      const response = await fetch(`http://${server.address}/api/v1/query?${new URLSearchParams({ query: expr })}`, {
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
      const { data, error } = (await response.json()) as { data?: { result: readonly Series[] }; error?: string };
      if (data === undefined) throw new Error(`${expr}: ${error}`);
      return data.result;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** An Alertmanager that hands each alert over by itself, at once, and says when it is over. */
export async function startAlertmanager(
  program: readonly string[],
  webhook: string,
): Promise<AsyncDisposable & { readonly address: string }> {
  return startServer('alertmanager', program, (folder) => ({
    config: {
      route: {
        receiver: 'webhook',
        group_by: ['...'],
        group_wait: '0s',
        group_interval: '1s',
        repeat_interval: '1h',
      },
      receivers: [{ name: 'webhook', webhook_configs: [{ url: webhook, send_resolved: true }] }],
    },
    args: ['--storage.path', join(folder, 'data'), '--cluster.listen-address='],
  }));
}

/** Starts a server with a folder and a free port of its own; it listens when this resolves. */
async function startServer(
  name: string,
  [program = '', ...first]: readonly string[],
  prepare: (folder: string) => { readonly config: object; readonly args: readonly string[] },
): Promise<AsyncDisposable & { readonly address: string }> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), `tidemark-${name}-`));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const { config, args } = prepare(folder);
  const file = join(folder, `${name}.yml`);
  writeFileSync(file, stringify(config));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const child = await startChild({
    name,
    program,
    args: [...first, '--config.file', file, '--web.listen-address', address, ...args],
    env: { PATH: process.env.PATH },
    dataDir: folder,
  });
  stack.defer(async () => void (await child.stop(STOP_GRACE_MS)));
  const wanted = { title: name, port, startTimeoutMs: START_LIMIT_MS };
  await untilListening(child, wanted, AbortSignal.timeout(START_LIMIT_MS));
  const owned = stack.move();
  return { address, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
