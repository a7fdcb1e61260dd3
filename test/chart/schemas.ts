/** What a strict server of Kubernetes would refuse, by the schemas in `testdata`. */

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';

/** An object of Kubernetes, as far as tests look into it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  // biome-ignore lint/suspicious/noExplicitAny: the schemas of Kubernetes were asked before
  readonly spec: any;
  readonly data?: Readonly<Record<string, string>>;
}

export interface CrdSchema {
  readonly apiVersion: string;
  readonly kind: string;
  /** As `openAPIV3Schema`. */
  readonly schema: Schema;
}

type Schema = Readonly<Record<string, unknown>>;

/** The oldest that Chart.yaml allows, and the newest that there was. */
const VERSIONS = ['1.27', '1.37'];
const TESTDATA = join(import.meta.dirname, 'testdata');
const PACKAGES: Readonly<Record<string, string>> = {
  v1: 'io.k8s.api.core.v1',
  'apps/v1': 'io.k8s.api.apps.v1',
  'networking.k8s.io/v1': 'io.k8s.api.networking.v1',
  'policy/v1': 'io.k8s.api.policy.v1',
};

/** As Go writes them: `(?i)` holds to the end. */
const regExp = Object.assign(
  (pattern: string, flags: string) => new RegExp(pattern.replace(/\(\?i\)(.*)/, '(?i:$1)'), flags),
  { code: 'new RegExp' },
);
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, code: { regExp } });
for (const version of VERSIONS) ajv.addSchema(read(join('kubernetes', `${version}.json`)), version);
for (const { apiVersion, kind, schema } of crdSchemas())
  ajv.addSchema(closed(schema) as Schema, `${apiVersion}/${kind}`);

/** The schemas of the custom resources that the chart can make. */
export function crdSchemas(): readonly CrdSchema[] {
  return globSync('*.json', { cwd: join(TESTDATA, 'crds') }).map(
    (file) => read(join('crds', file)) as unknown as CrdSchema,
  );
}

/** A sentence for each field that is wrong, missing or unknown, in any of the versions. */
export function violationsOf(object: KubernetesObject): readonly string[] {
  const { apiVersion, kind, metadata } = object;
  const named = `${kind} ${metadata?.name}`;
  const customResource = ajv.getSchema(`${apiVersion}/${kind}`);
  if (customResource) return errorsOf(customResource, object).map((error) => `${named}: ${error}`);
  return VERSIONS.flatMap((version) => {
    const schema = ajv.getSchema(`${version}#/$defs/${PACKAGES[apiVersion]}.${kind}`);
    if (schema === undefined) return [`${named}: there is no schema of ${apiVersion} ${kind}`];
    return errorsOf(schema, object).map((error) => `${named}: ${error} (Kubernetes ${version})`);
  });
}

function errorsOf(validate: ValidateFunction, object: KubernetesObject): readonly string[] {
  validate(object);
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }: ErrorObject) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** A schema of a CustomResourceDefinition, which allows no field that it does not name. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { properties, ...rest } = schema as { properties?: Schema } & Schema;
  const made = mapValues(rest, closed);
  if (properties === undefined) return made;
  const isOpen = 'x-kubernetes-preserve-unknown-fields' in rest;
  return { ...(isOpen ? {} : { additionalProperties: false }), ...made, properties: mapValues(properties, closed) };
}

function mapValues(map: Schema, make: (value: unknown) => unknown): Schema {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, make(value)]));
}

function read(file: string): Schema {
  return JSON.parse(readFileSync(join(TESTDATA, file), 'utf8')) as Schema;
}
