import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { fastify } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkAnswers, escaped, validatorOf } from '../testing/check-answers.ts';
import { OTHER_CLUSTER, sampleBackup } from '../testing/programmable-backends.ts';
import { expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import type { Operation } from './operation.ts';

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
  readonly paths: Record<string, Record<string, DocumentedOperation>>;
  readonly components: {
    readonly responses: Record<string, { readonly content: Record<string, MediaType> }>;
    readonly securitySchemes: Record<string, object>;
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
    const committed = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'openapi.json'), 'utf8');
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
        if (content?.['application/json'] && operation.operationId !== 'getOpenApi')
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
    for (const { path, method, operation } of operations())
      for (const [name, { value }] of Object.entries(
        operation.requestBody?.content['application/json']?.examples ?? {},
      )) {
        const answer = await gateway.ask(method.toUpperCase(), filled(path, operation), { body: value });
        expect(answer.status, `${operation.operationId}, ${name}: ${answer.body.message}`).toBe(200);
      }
  });
});

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
