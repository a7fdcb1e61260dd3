/** Files of clusters, storages and strategies: read, and held to what the API takes, with the line of everything that is wrong. */

import { isId } from '@tidemark/limits/id';
import { MAX_APPLIED_DOCUMENTS, MAX_REVISION } from '@tidemark/limits/limits';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { type Document, isMap, isScalar, LineCounter, type Node, parseAllDocuments } from 'yaml';

/**
 * In the order in which they are applied: what others name comes first. A rule of a cluster wins over one for its labels, which
 * then never begins.
 */
export const KINDS = ['Storage', 'Cluster', 'Strategy', 'FleetStrategy'] as const;
export type Kind = (typeof KINDS)[number];

/** A document of a file: one thing that is to be as it says. */
export interface Wanted {
  readonly kind: Kind;
  /** Of a rule that of its cluster; else its own. */
  readonly id: string;
  /** Of a strategy of a cluster. */
  readonly rule?: string;
  /** The body of the API. */
  readonly body: Readonly<Record<string, unknown>>;
  /** At which it must be to be changed. */
  readonly revision?: number;
  /** What is wrong with it already: sentences with file and line. */
  readonly problems: readonly string[];
  /** Where a field of it stands, such as `fleet.yaml:7`. @param path of names and places in lists; of the whole where it is empty */
  at(path: readonly string[]): string;
}

/** The schemas of the API's OpenAPI document, by their names. */
export type Schemas = Readonly<Record<string, object>>;

export interface ReadManifest {
  readonly wanted: readonly Wanted[];
  /** Sentences with file and line, of what does not even say what it is about. */
  readonly problems: readonly string[];
}

/** How the thing of a document is named in it. */
const NAMES = { Storage: 'id', Cluster: 'id', FleetStrategy: 'name', Strategy: 'clusterId' } as const;
const DEFAULT_RULE = 'default';

/** Compiles a schema of the API. */
export type Compile = (name: string) => ValidateFunction;

/** Reads the documents of a file. @param file its name, for people */
export function readManifest(file: string, text: string, schemas: Schemas, compile: Compile): ReadManifest {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const problems: string[] = [];
  const wanted: Wanted[] = [];
  if (!Array.isArray(documents) || documents.length === 0)
    return { wanted, problems: [`${file}: it holds no document.`] };
  if (documents.length > MAX_APPLIED_DOCUMENTS)
    return { wanted, problems: [`${file}: it holds more than ${MAX_APPLIED_DOCUMENTS} documents.`] };
  for (const document of documents) {
    const at = (path: readonly string[]) => `${file}:${lines.linePos(offsetOf(document, path)).line}`;
    const [broken] = document.errors;
    if (broken) {
      problems.push(`${file}:${lines.linePos(broken.pos[0]).line}: ${broken.message}`);
      continue;
    }
    if (document.contents === null) continue;
    const read = readDocument(document, at, schemas, compile);
    if ('problem' in read) problems.push(read.problem);
    else wanted.push(read);
  }
  return { wanted, problems };
}

function readDocument(
  document: Document.Parsed,
  at: Wanted['at'],
  schemas: Schemas,
  compile: Compile,
): Wanted | { readonly problem: string } {
  const value = toValue(document);
  if (typeof value === 'string') return { problem: `${at([])}: ${value}` };
  const { kind: kindName, revision, ...fields } = value;
  const kind = KINDS.find((one) => one === kindName);
  if (!kind) return { problem: `${at(['kind'])}: kind must be one of ${KINDS.join(', ')}.` };
  const name = NAMES[kind];
  const { [name]: id, ...rest } = fields;
  if (typeof id !== 'string' || !isId(id))
    return { problem: `${at([name])}: ${name} must name the ${kind}: 1 to 64 letters, digits, underscores or dashes.` };
  const { rule = DEFAULT_RULE, ...body } = kind === 'Strategy' ? rest : { ...rest };
  if (typeof rule !== 'string' || !isId(rule)) return { problem: `${at(['rule'])}: rule must be the name of a rule.` };
  const own = kind === 'FleetStrategy' ? rest : body;
  const problems = [...wrongRevision(revision, at), ...wrongFields(kind, id, own, schemas, compile, at)];
  return {
    ...{ kind, id, body: own, at, problems: [...new Set(problems)] },
    ...(kind === 'Strategy' && { rule }),
    ...(typeof revision === 'number' && { revision }),
  };
}

/** What of a body is not as the API's schema has it. */
function wrongFields(
  kind: Kind,
  id: string,
  body: Record<string, unknown>,
  schemas: Schemas,
  compile: Compile,
  at: Wanted['at'],
): string[] {
  const schema = schemaOf(kind, body, schemas);
  if (typeof schema === 'object') return [`${at([schema.field])}: ${schema.field} ${schema.what}.`];
  const validate = compile(schema);
  if (validate(withoutNulls(body))) return [];
  return (validate.errors ?? []).map((error) => toProblem(error, `${kind} ${id}`, schema, schemas, at));
}

function toValue(document: Document.Parsed): Record<string, unknown> | string {
  if (!isMap(document.contents)) return 'it must be a mapping that begins with kind, such as "kind: Cluster".';
  try {
    const value: Record<string, unknown> = document.toJS();
    return isEndless(value) ? 'an alias (*) in it stands for what it is a part of.' : value;
  } catch (error) {
    return (error as Error).message; // an alias too many, or too deep
  }
}

/** @param above what the value is a part of */
function isEndless(value: unknown, above: readonly unknown[] = []): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return above.includes(value) || Object.values(value).some((one) => isEndless(one, [...above, value]));
}

function wrongRevision(revision: unknown, at: Wanted['at']): string[] {
  const isGood = Number.isSafeInteger(revision) && Number(revision) >= 0 && Number(revision) <= MAX_REVISION;
  return revision === undefined || isGood ? [] : [`${at(['revision'])}: revision must be a whole number.`];
}

/** The name of the schema that a body is held to; or what is wrong with the field that decides it. */
function schemaOf(
  kind: Kind,
  body: Record<string, unknown>,
  schemas: Schemas,
): string | { readonly field: string; readonly what: string } {
  if (kind === 'Cluster') return 'PutClusterBody';
  if (kind === 'Strategy') return 'StrategySettings';
  if (kind === 'FleetStrategy') return 'FleetStrategySettings';
  const types = new Map(
    Object.entries(schemas).flatMap(([name, schema]) => {
      const { properties } = schema as { readonly properties?: { readonly type?: { readonly const?: unknown } } };
      const type = properties?.type?.const;
      return name.endsWith('Storage') && typeof type === 'string' ? [[type, name] as const] : [];
    }),
  );
  return types.get(String(body.type)) ?? { field: 'type', what: `must be one of ${[...types.keys()].join(', ')}` };
}

function toProblem(error: ErrorObject, what: string, schema: string, schemas: Schemas, at: Wanted['at']): string {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const params = error.params as { additionalProperty?: string; missingProperty?: string; allowedValues?: unknown[] };
  if (params.additionalProperty !== undefined) {
    const { properties = {} } = (error.parentSchema ?? schemas[schema] ?? {}) as { properties?: object };
    const field = [...path, params.additionalProperty];
    return `${at(field)}: ${what} has no field "${field.join('.')}": it has ${Object.keys(properties).join(', ')}.`;
  }
  if (params.missingProperty !== undefined)
    return `${at(path)}: ${what} lacks ${[...path, params.missingProperty].join('.')}.`;
  const values = params.allowedValues ? `: ${params.allowedValues.join(', ')}` : '';
  return `${at(path)}: ${path.join('.') || what} ${error.message ?? 'is wrong'}${values}.`;
}

/** Sentences about what stands in files twice; names of rules that differ only in case are the same. */
export function repeatsOf(wanted: readonly Wanted[]): string[] {
  const seen = new Map<string, Wanted>();
  return wanted.flatMap((one) => {
    const key = nameOf({ ...one, ...(one.rule !== undefined && { rule: one.rule.toLowerCase() }) });
    const first = seen.get(key);
    seen.set(key, first ?? one);
    return first ? [`${one.at([])}: ${nameOf(one)} stands in ${first.at([])} already.`] : [];
  });
}

/** How a document is called, for people. */
export const nameOf = ({ kind, id, rule }: Pick<Wanted, 'kind' | 'id' | 'rule'>): string =>
  rule === undefined ? `${kind} ${id}` : `${kind} ${id} ${rule}`;

/** Null is what was left out, in every body of the API. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) => (one === null ? [] : [[name, withoutNulls(one)]])),
  );
}

/** Where a path begins in the text: its key where it has one; the nearest part of it that is there. */
function offsetOf(document: Document.Parsed, path: readonly string[]): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? document.range[0];
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === part);
      if (!pair) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else {
      const item: unknown = node && 'items' in node ? (node.items as unknown[])[Number(part)] : undefined;
      if (!item) return offset;
      node = item as Node;
      offset = node.range?.[0] ?? offset;
    }
  }
  return offset;
}
