/**
 * The six calls of the documented API as a Swagger 2 document, for generators that read nothing newer. Made of the OpenAPI
 * document, so that both say the same.
 */
type Json = Record<string, unknown>;

/** In the order of `backuprestore.md`; saving is there under both of its methods. */
const DOCUMENTED = [
  'getStrategy',
  'saveStrategy',
  'saveStrategyByPost',
  'startBackup',
  'cancelBackup',
  'listBackups',
  'deleteBackup',
];
const COMPONENT = '#/components/schemas/';
const DEFINITION = '#/definitions/';
/** What Swagger 2 does not have, beside what is turned into something else. */
const UNKNOWN_KEYS = ['$schema', 'exclusiveMinimum', 'examples', 'propertyNames', 'const', 'anyOf', 'x-enum-varnames'];

const DESCRIPTION = `The six documented calls, for generators that read Swagger 2. Everything else that Tidemark does is in its OpenAPI document.

Send \`Authorization: Bearer <token>\`. Answers may gain fields: ignore those that you do not know.`;

interface Parts {
  readonly info: Json;
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Json>>;
    readonly responses: Readonly<Record<string, Json>>;
    readonly headers: Readonly<Record<string, Json>>;
  };
}

/** @param openApi of the whole API, as `openApiDocument` makes it */
export function swaggerDocument(openApi: object): Json {
  const parts = openApi as Parts;
  const paths: Record<string, Json> = {};
  for (const id of DOCUMENTED)
    for (const [path, methods] of Object.entries(parts.paths))
      for (const [method, operation] of Object.entries(methods))
        if (operation.operationId === id) paths[path] = { ...paths[path], [method]: toOperation(operation, parts) };
  const tags = new Set(Object.values(paths).flatMap((one) => Object.values(one as Record<string, Json>).map(tagOf)));
  const { title, version, contact, license } = parts.info as Json & { license: Json };
  return {
    swagger: '2.0',
    info: { title, description: DESCRIPTION, version, contact, license: { name: license.name } },
    basePath: parts.servers[0]?.url,
    consumes: ['application/json'],
    produces: ['application/json'],
    securityDefinitions: {
      token: { type: 'apiKey', in: 'header', name: 'Authorization', description: '`Bearer <token>`' },
    },
    security: [{ token: [] }],
    tags: parts.tags.filter(({ name }) => tags.has(name)),
    paths,
    definitions: definitionsFor(paths, parts),
  };
}

const tagOf = ({ tags }: Json) => String([tags].flat()[0]);

/** Those schemas that are referred to, by the calls or by each other. */
function definitionsFor(paths: Json, { components }: Parts): Json {
  const definitions: Record<string, unknown> = {};
  for (let open = namesIn(paths); open.length > 0; ) {
    for (const name of open) definitions[name] = toSchema(components.schemas[name] ?? {});
    open = namesIn(definitions).filter((name) => !(name in definitions));
  }
  return Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function namesIn(node: unknown): string[] {
  const found = [...JSON.stringify(node).matchAll(/"#\/definitions\/(\w+)"/g)];
  return [...new Set(found.map(([, name = '']) => name))];
}

function toOperation(operation: Json, parts: Parts): Json {
  const { operationId, tags, summary, description, parameters = [], requestBody, responses } = operation;
  const all = [
    ...(parameters as Json[]).map((one) => toParameter(one, parts)),
    ...(requestBody === undefined ? [] : [toBody(requestBody as Json)]),
  ];
  return {
    operationId,
    tags,
    summary,
    description,
    ...(all.length > 0 && { parameters: all }),
    responses: Object.fromEntries(
      Object.entries(responses as Record<string, Json>).map(([status, one]) => [status, toResponse(one, parts)]),
    ),
  };
}

/** A parameter has no schema here: its type stands beside its name, and cannot be referred to. */
function toParameter({ schema, example: _, ...rest }: Json, parts: Parts): Json {
  const { description: __, ...type } = toSchema(resolved(schema as Json, COMPONENT, parts.components.schemas));
  return { ...rest, ...type };
}

function toBody({ required, content }: Json): Json {
  return { name: 'body', in: 'body', required, schema: toSchema(mediaOf(content).schema as Json) };
}

function toResponse(response: Json, { components }: Parts): Json {
  const { description, headers = {}, content } = resolved(response, '#/components/responses/', components.responses);
  const { schema, example, examples = {} } = mediaOf(content);
  const [named] = Object.values(examples as Record<string, { value: unknown }>);
  return {
    description,
    schema: toSchema(schema as Json),
    headers: Object.fromEntries(
      Object.entries(headers as Record<string, Json>).map(([name, one]) => {
        const { schema, description } = resolved(one, '#/components/headers/', components.headers);
        return [name, { description, ...toSchema(schema as Json) }];
      }),
    ),
    examples: { 'application/json': example ?? named?.value },
  };
}

function mediaOf(content: unknown): Json {
  return (content as Record<string, Json>)['application/json'] ?? {};
}

/** What a reference refers to, or the thing itself. */
function resolved(one: Json, prefix: string, components: Readonly<Record<string, Json>>): Json {
  return typeof one.$ref === 'string' ? (components[one.$ref.replace(prefix, '')] ?? {}) : one;
}

/** A schema in the words of Swagger 2, which knows no unions: of one the first branch is shown, and null is an extension. */
function toSchema(schema: Json): Json {
  if (typeof schema.$ref === 'string') return { $ref: schema.$ref.replace(COMPONENT, DEFINITION) };
  const branches = ((schema.anyOf ?? []) as Json[]).filter(({ type }) => type !== 'null');
  const types = [schema.type].flat().filter((type) => type !== 'null' && type !== undefined);
  const mayBeNull = isNullable(schema);
  const [first] = branches;
  if (first?.$ref) return toSchema(first);
  return {
    ...Object.fromEntries(
      Object.entries(schema)
        .filter(([key]) => !UNKNOWN_KEYS.includes(key) && key !== 'type')
        .map(([key, value]) => [key, toPart(key, value)]),
    ),
    ...(first && toSchema(first)),
    ...(types.length > 0 && { type: types[0] }),
    ...(Array.isArray(schema.required) && { required: neverNull(schema) }),
    ...('const' in schema && { enum: [schema.const] }),
    // Its word for a bound that is excluded is another one, which readers of JSON schemas refuse.
    ...(typeof schema.exclusiveMinimum === 'number' && { minimum: schema.exclusiveMinimum }),
    ...(mayBeNull && { 'x-nullable': true }),
  };
}

function isNullable({ type, anyOf = [] }: Json): boolean {
  return [type, ...(anyOf as Json[]).map((one) => one.type)].flat().includes('null');
}

/** Beside a reference nothing can say that it may be null: such a field is described as one that may be missing. */
function neverNull({ required, properties = {} }: Json): string[] {
  return (required as string[]).filter((name) => !isNullable((properties as Record<string, Json>)[name] ?? {}));
}

function toPart(key: string, value: unknown): unknown {
  if (key === 'properties')
    return Object.fromEntries(
      Object.entries(value as Record<string, Json>).map(([name, one]) => [name, toSchema(one)]),
    );
  const isSchema = (key === 'items' || key === 'additionalProperties') && typeof value === 'object' && value !== null;
  return isSchema ? toSchema(value as Json) : value;
}
