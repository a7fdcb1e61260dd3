/** The bodies that the API takes, as its own OpenAPI document describes them. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Compile, Schemas } from './manifest.ts';

/** Compiles schemas for files of people: stricter than the API, which passes over fields that it does not know. */
export function createCompile(schemas: Schemas): Compile {
  const ajv = new Ajv2020({ strict: false, allErrors: true, verbose: true, validateFormats: false });
  ajv.addSchema({ $id: 'api', components: { schemas: strict(schemas) } });
  return (name) => ajv.compile({ $ref: `api#/components/schemas/${name}` });
}

/** Nulls are gone before it is asked; and no object has a field that is not among its properties. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { anyOf } = schema as { readonly anyOf?: readonly { readonly type?: unknown }[] };
  const kept = anyOf?.filter(({ type }) => type !== 'null');
  if (kept?.length === 1) return strict(kept[0]);
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, strict(value)]));
  const { properties, additionalProperties } = copy;
  const isObject = typeof properties === 'object' && copy.type !== undefined;
  return isObject && additionalProperties === undefined ? { ...copy, additionalProperties: false } : copy;
}
