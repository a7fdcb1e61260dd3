import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { fastify } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkAnswers, escaped, validatorOf } from '../testing/check-answers.ts';
import { OTHER_CLUSTER, RESTORE, sampleBackup } from '../testing/programmable-backends.ts';
import { expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import type { Operation } from './operation.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly const?: unknown;
  readonly enum?: readonly string[];
  readonly 'x-enum-varnames'?: readonly string[];
  readonly title?: string;
  readonly properties?: Record<string, Schema>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}
interface MediaType {
  readonly schema: object;
  readonly example?: unknown;
  readonly examples?: Record<string, { readonly value: unknown }>;
}
interface DocumentedOperation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly example?: unknown; readonly in: string }[];
  readonly requestBody?: { readonly content: Record<string, MediaType> };
  readonly responses: Record<string, { readonly content?: Record<string, MediaType>; readonly $ref?: string }>;
  readonly security?: readonly object[];
}
interface Documented {
  readonly info: object;
  readonly paths: Record<string, Record<string, DocumentedOperation>>;
  readonly components: {
    readonly responses: Record<string, { readonly content: Record<string, MediaType> }>;
    readonly securitySchemes: Record<string, object>;
    readonly schemas: Record<string, Schema>;
  };
  readonly security: readonly object[];
}

let gateway: TestGateway;
let document: Documented;
/** What the gateway really serves, such as `GET /backups/{backupId}`. */
const served = new Set<string>();

beforeAll(async () => {
  gateway = await startTestGateway();
  gateway.app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat())
      if (one !== 'HEAD' && one !== 'OPTIONS' && url.startsWith('/api/v1/'))
        served.add(`${one} ${url.slice('/api/v1'.length).replaceAll(/:([A-Za-z]+)/g, '{$1}')}`);
  });
  document = (await gateway.ask('GET', '/openapi.json', { token: null })).body;
});
afterAll(() => gateway[Symbol.asyncDispose]());

function operations() {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
}

/** A path with the examples of its parameters. */
function filled(path: string, { parameters }: DocumentedOperation): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name) => String(parameters?.find((one) => one.name === name)?.example));
}

describe('the OpenAPI document', () => {
  it('and the routes are the same set, both ways', () => {
    expect(served.size).toBeGreaterThan(40);
    expect(
      operations()
        .map(({ method, path }) => `${method.toUpperCase()} ${path}`)
        .sort(),
    ).toEqual([...served].sort());
  });

  it('names each operation once', () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('is valid under the meta schema of OpenAPI 3.1', async () => {
    expect(document).toMatchObject({ openapi: '3.1.1' });
    expect(await new Validator().validate({ ...document })).toEqual({ valid: true });
  });

  it('is the committed one', () => {
    const committed = readFileSync(join(ROOT, 'docs', 'openapi.json'), 'utf8');
    expect(JSON.parse(committed), 'run: npm run generate').toEqual(document);
  });

  it('has an example of every body and of every answer in the envelope, and each fits its schema', () => {
    const at = validatorOf(document);
    let tried = 0;
    const tryOut = (media: MediaType | undefined, pointer: string[]) => {
      const examples = [media?.example, ...Object.values(media?.examples ?? {}).map(({ value }) => value)].filter(
        (one) => one !== undefined,
      );
      expect(examples, pointer.join(' ')).not.toEqual([]);
      const validate = at(`/${[...pointer, 'content', 'application/json', 'schema'].map(escaped).join('/')}`);
      for (const example of examples) {
        validate(example);
        expect(validate.errors ?? [], `${pointer.join(' ')}: ${JSON.stringify(example)}`).toEqual([]);
        tried += 1;
      }
    };
    for (const { path, method, operation } of operations()) {
      const here = ['paths', path, method];
      if (operation.requestBody) tryOut(operation.requestBody.content['application/json'], [...here, 'requestBody']);
      for (const [status, { content }] of Object.entries(operation.responses))
        if (content?.['application/json'] && !['getOpenApi', 'getSwagger'].includes(operation.operationId))
          tryOut(content['application/json'], [...here, 'responses', status]);
    }
    for (const [name, { content }] of Object.entries(document.components.responses))
      tryOut(content['application/json'], ['components', 'responses', name]);
    expect(tried).toBeGreaterThan(200);
  });

  it('says of each operation whether it needs a token, and how that can be refused', async () => {
    expect(document.security).toEqual([{ token: [] }]);
    expect(document.components.securitySchemes).toMatchObject({ token: { type: 'http', scheme: 'bearer' } });
    for (const { path, method, operation } of operations()) {
      const { status } = await gateway.ask(method.toUpperCase(), filled(path, operation), { token: null });
      const open = operation.security !== undefined;
      expect(status === 401, operation.operationId).toBe(!open);
      const refusals = Object.keys(operation.responses).filter((one) => ['401', '403', '429', '503'].includes(one));
      if (!open) expect(refusals, operation.operationId).toEqual(['401', '403', '429', '503']);
    }
  });

  it('has only examples of bodies that are taken', async () => {
    gateway.answers.getBackup = async ({ id }) => ({ backup: sampleBackup({ id, clusterId: OTHER_CLUSTER }) });
    gateway.answers.getStrategy = async ({ clusterId, rule }) => ({ strategy: { clusterId, rule, revision: 1n } });
    gateway.answers.planRestore = async () => ({ plan: { hash: 'p' } });
    gateway.answers.startRestore = async () => ({ restore: { id: RESTORE } });
    for (const { path, method, operation } of operations())
      for (const [name, { value }] of Object.entries(
        operation.requestBody?.content['application/json']?.examples ?? {},
      )) {
        const answer = await gateway.ask(method.toUpperCase(), filled(path, operation), { body: value });
        expect(answer.status, `${operation.operationId}, ${name}: ${answer.body.message}`).toBe(200);
      }
  });
});

/** Everything in the document that is an object, with the pointer to it. */
function* objectsIn(node: unknown, pointer = ''): Generator<{ pointer: string; json: Record<string, unknown> }> {
  if (typeof node !== 'object' || node === null) return;
  if (!Array.isArray(node)) yield { pointer, json: node as Record<string, unknown> };
  for (const [key, value] of Object.entries(node))
    if (!['example', 'examples', 'default'].includes(key)) yield* objectsIn(value, `${pointer}/${key}`);
}

describe('for generators of clients, the document', () => {
  it('gives every number a size, which generators for Go and Java would take to be 32 bits', () => {
    const formats = { integer: 'int64', number: 'double' } as const;
    let numbers = 0;
    for (const { pointer, json } of objectsIn(document))
      for (const type of ['integer', 'number'] as const)
        if ([json.type].flat().includes(type)) {
          expect(json.format, pointer).toBe(formats[type]);
          numbers += 1;
        }
    expect(numbers).toBeGreaterThan(50);
  });

  it('has a record of 5 TB that also a client reads whose numbers have 32 bits unless they say otherwise', async () => {
    const sizeBytes = 5_000_000_000_001;
    gateway.answers.listBackups = async () => ({
      backups: [sampleBackup({ result: { sizeBytes: BigInt(sizeBytes) } })],
      total: 1n,
    });
    const { body } = await gateway.ask('GET', '/backups');
    const read = readLikeJava(schemaOf('ListBackupsAnswer'), body, 'answer');
    expect(read).toMatchObject({ data: { backupRecords: [{ sizeBytes }] } });
    expect(() => readLikeJava({ type: 'integer' }, sizeBytes, 'a size without a format')).toThrow('32 bits');
  });

  it('says that what is always sent is there', () => {
    expect(schemaOf('OneBackup').required).toEqual(['backup']);
    for (const id of ['cancelBackup', 'deleteBackup', 'pinBackup', 'unpinBackup', 'getBackup'])
      expect(goodAnswer(id), id).toEqual({ 'application/json': { $ref: '#/components/schemas/OneBackupAnswer' } });
  });

  it('has one type for the frame of all good answers, and none whose name says nothing', () => {
    const frame = Object.values(document.components.schemas).filter(
      ({ properties = {} }) => 'code' in properties && 'data' in properties && !('requestId' in properties),
    );
    expect(frame.length).toBeGreaterThan(10);
    for (const { properties } of frame)
      expect(properties).toMatchObject({
        code: { $ref: '#/components/schemas/GoodCode' },
        message: { $ref: '#/components/schemas/GoodMessage' },
      });
    const names = Object.keys(document.components.schemas);
    expect(names.filter((name) => ['None', 'Nothing', 'PageWithTotalIfWanted'].includes(name))).toEqual([]);
    // A generator makes a constant of each value, under its own name alone.
    expect(schemaOf('DeletionState')['x-enum-varnames']).toHaveLength((schemaOf('DeletionState').enum ?? []).length);
  });

  it('names every branch of a union', () => {
    for (const { pointer, json } of objectsIn(document))
      for (const branch of [json.anyOf, json.oneOf].flat() as (Schema | undefined)[])
        if (branch && branch.type !== 'null') expect(branch.$ref ?? branch.title, pointer).toBeTypeOf('string');
  });

  it('has a schema for each event of a stream, and says what the files of its page are', () => {
    expect(goodAnswer('watchBackup')).toEqual({ 'text/event-stream': { $ref: '#/components/schemas/BackupEvent' } });
    expect(Object.keys(goodAnswer('getDocsFile'))).toEqual(['text/css', 'text/javascript', 'image/png']);
  });

  it('has the version of the product, and says whose it is', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(document.info).toMatchObject({ version, contact: { name: expect.any(String) } });
  });

  it('says of every field of a body whether it may be null, as it is taken', async () => {
    let tried = 0;
    for (const { path, method, operation } of operations()) {
      const media = operation.requestBody?.content['application/json'];
      for (const { value } of Object.values(media?.examples ?? {}))
        for (const { keys, mayBeNull } of fieldsOf(media?.schema as Schema, value)) {
          const body = structuredClone(value) as Record<string, unknown>;
          let parent = body;
          for (const key of keys.slice(0, -1)) parent = parent[key] as Record<string, unknown>;
          parent[keys.at(-1) ?? ''] = null;
          const answer = await gateway.ask(method.toUpperCase(), filled(path, operation), { body });
          // What is one of two may be null, as long as the other is there.
          const refused = (answer.body.details?.fields ?? []).some(
            ({ field, description }: { field: string; description: string }) =>
              keys.join('.').startsWith(field) && !/must have either|must be set; or/.test(description),
          );
          expect(refused, `${operation.operationId} ${JSON.stringify(body)}: ${answer.body.message}`).toBe(!mayBeNull);
          tried += 1;
        }
    }
    expect(tried).toBeGreaterThan(100);
  });
});

function goodAnswer(operationId: string): Record<string, object> {
  const content = operations().find(({ operation }) => operation.operationId === operationId)?.operation.responses[200];
  return Object.fromEntries(Object.entries(content?.content ?? {}).map(([type, { schema }]) => [type, schema]));
}

function schemaOf(name: string): Schema {
  const schema = document.components.schemas[name];
  if (!schema) throw new Error(`the document has no schema ${name}`);
  return schema;
}

/** What a reference means. */
function resolved(schema: Schema): Schema {
  return schema.$ref === undefined ? schema : resolved(schemaOf(schema.$ref.split('/').at(-1) ?? ''));
}

/** The fields of an object and of those within it, and whether the document lets each be null. */
function* fieldsOf(schema: Schema, value: unknown): Generator<{ keys: string[]; mayBeNull: boolean }> {
  const meant = branchFor(schema, value);
  for (const [name, property] of Object.entries(meant?.properties ?? {})) {
    const whole = resolved(property);
    const mayBeNull = [whole.type].flat().includes('null') || (whole.anyOf ?? []).some(({ type }) => type === 'null');
    yield { keys: [name], mayBeNull };
    const inner = (value as Record<string, unknown>)[name];
    if (typeof inner === 'object' && inner !== null)
      for (const { keys, ...more } of fieldsOf(property, inner)) yield { keys: [name, ...keys], ...more };
  }
}

/** Of a union, the branch whose fields the value has. */
function branchFor(schema: Schema, value: unknown): Schema | undefined {
  const branches = (resolved(schema).anyOf ?? [schema]).map(resolved);
  const names = Object.keys(value as object);
  return branches.find(({ properties, required = [] }) =>
    properties === undefined
      ? false
      : names.every((name) => name in properties) && required.every((name) => names.includes(name)) && fits(properties),
  );
  function fits(properties: Record<string, Schema>): boolean {
    const { type } = value as { type?: string };
    return properties.type?.const === undefined || properties.type.const === type;
  }
}

/** Reads as a client does whose types are made from the document by the rules of generators for Java. @throws what does not fit */
function readLikeJava(schema: Schema, value: unknown, where: string): unknown {
  const { type, format, properties, items } = resolved(schema);
  if (value === undefined || value === null || type === undefined) return value;
  if ([type].flat().includes('integer') && format !== 'int64' && value !== Math.trunc(Number(value)) % 2 ** 31)
    throw new Error(`${where}: ${value} does not fit into 32 bits`);
  if ([type].flat().includes('number') && format !== 'double' && value !== Math.fround(Number(value)))
    throw new Error(`${where}: ${value} does not fit into 32 bits`);
  if (items) return (value as unknown[]).map((one, index) => readLikeJava(items, one, `${where}[${index}]`));
  if (!properties) return value;
  return Object.fromEntries(
    Object.entries(properties).map(([name, one]) => [
      name,
      readLikeJava(one, (value as Record<string, unknown>)[name], `${where}.${name}`),
    ]),
  );
}

describe('the page of the reference', () => {
  it('comes without a token, with and without a slash, and may load nothing from elsewhere', async () => {
    const [page, slashed] = [
      await gateway.ask('GET', '/docs', { token: null }),
      await gateway.ask('GET', '/docs/', { token: null }),
    ];
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect(page.headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
    expect(slashed.body).toBe(page.body);
    const send = gateway.app.inject.bind(gateway.app);
    for (const path of ['/docs', '/docs/']) expect((await send(path)).body).toBe(page.body);
    expect((await send('/openapi.json')).json()).toEqual(document);
    expect(page.body).not.toMatch(/https?:\/\//);
    const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file);
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) expect(await gateway.ask('GET', file, { token: null })).toMatchObject({ status: 200 });
  });

  it('is pointed to by what stands at the address itself, without a token', async () => {
    const root = await gateway.app.inject.bind(gateway.app)({ url: '/' });
    expect(root.statusCode).toBe(200);
    expect(root.headers['content-type']).toContain('text/html');
    expect(root.body).toContain('href="/docs"');
  });

  it.each(['nothing.js', 'package.json', '..%2fpackage.json', 'constructor', 'swagger-ui-bundle.js.map'])(
    'has no file %s',
    async (file) => {
      expectFailure(await gateway.ask('GET', `/docs/${file}`, { token: null }), 404, 10001);
    },
  );
});

it('lets no test pass whose answer has more, has less or fails otherwise than the document promises', async () => {
  const operation = (id: string): Operation => ({
    id,
    tag: 'Backups',
    summary: id,
    answer: { data: z.object({ a: z.string() }), example: { a: 'x' } },
  });
  const failure = { message: 'no', data: {}, requestId: 'r' };
  const answers = {
    good: { code: 0, message: 'OK', data: { a: 'x' } },
    more: { code: 0, message: 'OK', data: { a: 'x', b: 1 } },
    less: { code: 0, message: 'OK', data: {} },
    failed: { code: 10001, ...failure },
    otherwise: { code: 20610, ...failure },
  };
  for (const [id, body] of Object.entries(answers)) {
    await using app = fastify();
    const wrong = checkAnswers(app);
    app.get(`/api/v1/${id}`, { config: { operation: operation(id) } }, (_, reply) =>
      reply.code(body.code === 0 ? 200 : 400).send(body),
    );
    // By another name, since a file that injects is given servers.
    const send = app.inject.bind(app);
    await send(`/api/v1/${id}`);
    if (id === 'good' || id === 'failed') wrong.throwAny();
    else expect(() => wrong.throwAny(), id).toThrow(`GET /api/v1/${id} answered`);
  }
});
