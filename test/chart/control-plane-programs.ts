/** The programs of a control plane of Kubernetes, which are built from their source: no test waits for that. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackDebianPackages } from '@tidemark/local-stack/debian-package';
import { ask, findOnPath, isExecutable, runStep } from '@tidemark/local-stack/find-program';
import { SHARED_CACHE } from '@tidemark/local-stack/repository';

const KUBERNETES = '1.34.2';
/** How the libraries of that version are numbered. */
const LIBRARIES = '0.34.2';
const PROGRAMS = ['kube-apiserver', 'kube-controller-manager'] as const;
/** As its own build writes it: a server without a version is too old for any chart. */
const VERSION_FLAGS = `-X k8s.io/component-base/version.gitVersion=v${KUBERNETES}`;
const ASK_LIMIT_MS = 300_000;
const BUILD_LIMIT_MS = 3 * 3_600_000;

export const CONTROL_PLANE_FOLDER = join(SHARED_CACHE, `kubernetes-${KUBERNETES}`);

export interface BuildOptions {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A sentence that says how to get the programs, where they are not there. */
export function missingControlPlane(): string | undefined {
  if (PROGRAMS.every((name) => isExecutable(join(CONTROL_PLANE_FOLDER, name)))) return undefined;
  return 'Kubernetes is not there: npm run build-control-plane builds it for this checkout, in a quarter of an hour';
}

/** The program `etcd`: the one that is installed, else that of Debian. @throws a sentence that says what is missing */
export async function findEtcd(options: BuildOptions): Promise<string> {
  const installed = findOnPath('etcd');
  if (installed !== undefined) return installed;
  return join(await unpackDebianPackages(['etcd-server'], options), 'usr', 'bin', 'etcd');
}

/**
 * Builds what is not there yet.
 *
 * @throws a sentence that says what is missing
 */
export async function buildControlPlane(options: BuildOptions): Promise<void> {
  const { say, signal } = options;
  await findEtcd(options);
  const [go, env] = [findOnPath('go'), findOnPath('env')];
  if (go === undefined || env === undefined) throw new Error('Kubernetes needs Go on PATH.');
  const module = `k8s.io/kubernetes@v${KUBERNETES}`;
  const described = await ask(go, ['mod', 'download', '-json', module], ASK_LIMIT_MS, signal);
  if (described === undefined) throw new Error(`Go could not download ${module}.`);
  const { GoMod } = JSON.parse(described) as { GoMod: string };
  const { Replace } = JSON.parse((await ask(go, ['mod', 'edit', '-json', GoMod], ASK_LIMIT_MS, signal)) ?? '{}') as {
    Replace?: readonly { readonly Old: { readonly Path: string } }[];
  };

  const folder = mkdtempSync(join(tmpdir(), 'tidemark-kubernetes-build-'));
  try {
    // What the source has in folders beside it is published as modules of their own.
    const replaced = (Replace ?? []).map(({ Old: { Path } }) => `replace ${Path} => ${Path} v${LIBRARIES}`);
    const lines = ['module control-plane', `require k8s.io/kubernetes v${KUBERNETES}`, ...replaced];
    writeFileSync(join(folder, 'go.mod'), `${lines.join('\n')}\n`);
    mkdirSync(CONTROL_PLANE_FOLDER, { recursive: true });
    for (const name of PROGRAMS) {
      say(`Building ${name} ${KUBERNETES} (once per checkout)`);
      const settings = ['-C', folder, 'GOFLAGS=-buildvcs=false -mod=mod', 'GOTOOLCHAIN=local', 'GOWORK=off'];
      const output = join(CONTROL_PLANE_FOLDER, name);
      const build = [go, 'build', '-ldflags', VERSION_FLAGS, '-o', output, `k8s.io/kubernetes/cmd/${name}`];
      await runStep(env, [...settings, ...build], `Go could not build ${name}`, { signal, limitMs: BUILD_LIMIT_MS });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
