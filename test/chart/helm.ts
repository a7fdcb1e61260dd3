/** Helm, over the chart. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isPythonPackageInstalled, type PythonPackage, pythonOf } from '@tidemark/local-stack/python-package';
import { REPOSITORY } from '@tidemark/local-stack/repository';
import { parse, parseAllDocuments } from 'yaml';
import { type KubernetesObject, violationsOf } from './schemas.ts';

export const CHART = join(REPOSITORY, 'deploy', 'helm', 'tidemark');

/** Helm as a library. Of its size 75 MB are fetched. */
export const HELM: PythonPackage = {
  title: 'Helm',
  folder: 'helm-0.2.2',
  requirements: ['helm-python-sdk==0.2.2'],
  size: '270 MB',
};
const RENDER_MS = 60_000;
const MAX_OUTPUT = 64 * 1024 * 1024;

/** Values of the chart, as `-f` takes them. */
export type Values = Readonly<Record<string, unknown>>;

export interface Rendered {
  readonly objects: readonly KubernetesObject[];
  readonly notes: string;
  /** What a strict server would refuse, a sentence each. */
  readonly violations: readonly string[];
  /** Helm's sentence, where the chart refuses the values. */
  readonly refused?: string;
}

export interface Answer {
  /** What lint finds, a sentence each, by the names of what was asked. */
  readonly lint: Readonly<Record<string, readonly string[]>>;
  readonly render: Readonly<Record<string, Rendered>>;
}

/** The Python that has Helm, or a sentence that says how to get it: no test waits for so large a download. */
export function findHelm(): { readonly python: string } | { readonly missing: string } {
  if (isPythonPackageInstalled(HELM)) return { python: pythonOf(HELM) };
  return { missing: 'Helm is not there: npm run install-helm installs it for this checkout' };
}

/** Lints the chart with each of the values of `lint`, and renders it with each of `render`. */
export function askHelm(
  python: string,
  asked: { readonly lint: Readonly<Record<string, Values>>; readonly render: Readonly<Record<string, Values>> },
): Answer {
  const input = JSON.stringify({ chart: CHART, ...asked });
  const { stdout, stderr, status } = spawnSync(python, [join(import.meta.dirname, 'render.py')], {
    input,
    encoding: 'utf8',
    timeout: RENDER_MS,
    maxBuffer: MAX_OUTPUT,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  if (status !== 0) throw new Error(`Helm could not be asked: ${stderr}`);
  const { lint, render } = JSON.parse(stdout) as { lint: Answer['lint']; render: Record<string, Output> };
  return { lint, render: Object.fromEntries(Object.entries(render).map(([name, one]) => [name, read(one)])) };
}

/** What render.py writes of one set of values. */
type Output = { readonly files: Readonly<Record<string, string>> } | { readonly refused: string };

function read(output: Output): Rendered {
  if ('refused' in output) return { objects: [], notes: '', violations: [], ...output };
  const [notes, manifests] = [true, false].map((areNotes) =>
    Object.entries(output.files).flatMap(([path, text]) => (path.endsWith('NOTES.txt') === areNotes ? [text] : [])),
  ) as [string[], string[]];
  // As Kubernetes reads it; a key that stands twice is an error.
  const documents = manifests.flatMap((text) => parseAllDocuments(text, { version: '1.1' }));
  const unreadable = documents.flatMap(({ errors }) => errors.map(({ message }) => message));
  const objects = documents.map((document) => document.toJS() as KubernetesObject).filter((one) => one !== null);
  return { objects, notes: notes.join(''), violations: [...unreadable, ...objects.flatMap(violationsOf)] };
}

/** The values of a file of the chart. */
export function valuesOf(file: string): Values {
  return parse(readFileSync(join(CHART, file), 'utf8')) as Values;
}

/** As Helm puts one `-f` over another: maps by their keys, everything else whole. */
export function overlay(under: Values, over: Values): Values {
  const merged = Object.entries(over).map(([key, value]) => {
    const before = under[key];
    return [key, isMap(before) && isMap(value) ? overlay(before, value) : value];
  });
  return { ...under, ...Object.fromEntries(merged) };
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
