/** Test support: every answer of a gateway must be one that the OpenAPI document promises, with nothing beyond it. */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { collectOperations, type DescribedRoute, failuresOf, openApiDocument } from '../rest/openapi.ts';

/** Where the document lies for the validator. */
const DOCUMENT = 'tidemark:openapi';

/** A validator of everything in a document, by JSON pointer. */
export function validatorOf(document: object): (pointer: string) => ValidateFunction {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true });
  formats.default(ajv);
  ajv.addSchema({ ...document, $id: DOCUMENT });
  return (pointer) => {
    const validate = ajv.getSchema(`${DOCUMENT}#${pointer}`);
    if (!validate) throw new Error(`the document has nothing at ${pointer}`);
    return validate as ValidateFunction;
  };
}

/** One part of a JSON pointer. */
export function escaped(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  zstd: zstdDecompressSync,
  br: brotliDecompressSync,
  gzip: gunzipSync,
};

/** All gateways have the same routes: what is compiled for one is used for the next. */
const known = new Map<string, (pointer: string) => ValidateFunction>();

/**
 * Watches a gateway that has not begun to listen.
 *
 * @returns what throws, once, if an answer was wrong
 */
export function checkAnswers(app: FastifyInstance): { throwAny(): void } {
  const routes = collectOperations(app, '/api/v1');
  const wrong: string[] = [];
  app.addHook('onSend', async (request, reply, payload) => {
    const coding = String(reply.getHeader('content-encoding') ?? '');
    const plain = payload instanceof Buffer ? (DECODERS[coding]?.(payload) ?? payload) : payload;
    const problem = problemOf(request, reply, plain, routes);
    if (problem !== undefined)
      wrong.push(`${request.method} ${request.url.slice(0, 200)} answered ${reply.statusCode}: ${problem}`);
  });
  return {
    throwAny() {
      const found = wrong.splice(0);
      if (found.length > 0) throw new Error(`The document promises other answers.\n${found.join('\n')}`);
    },
  };
}

function problemOf(
  { method, routeOptions }: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  routes: readonly DescribedRoute[],
): string | undefined {
  const status = reply.statusCode;
  const { operation } = routeOptions.config ?? {};
  const route = routes.find((one) => one.operation === operation);
  // The client that would get it has gone.
  if (status === 499 || method === 'OPTIONS') return undefined;
  if (!route)
    return routeOptions.url === undefined ? mismatch('/components/schemas/Failure', payload, routes) : undefined;
  if (status !== 200) {
    const { code } = JSON.parse(String(payload));
    const promised = failuresOf(route).map(({ number }) => number);
    if (!promised.includes(code)) return `the number ${code} is none of its failures`;
    return mismatch('/components/schemas/Failure', payload, routes);
  }
  const { answer } = route.operation;
  const type = String(reply.getHeader('content-type')).split(';')[0] ?? '';
  const wanted = 'type' in answer ? [answer.type].flat() : ['application/json'];
  if (!wanted.includes(type)) return `the content type is ${type}`;
  if ('type' in answer || method === 'HEAD') return undefined;
  const path = route.path.replaceAll(/:([A-Za-z]+)/g, '{$1}');
  const pointer = [
    'paths',
    path,
    route.method.toLowerCase(),
    'responses',
    '200',
    'content',
    'application/json',
    'schema',
  ];
  return mismatch(`/${pointer.map(escaped).join('/')}`, payload, routes);
}

function mismatch(pointer: string, payload: unknown, routes: readonly DescribedRoute[]): string | undefined {
  const key = routes.map(({ operation }) => operation.id).join();
  const at = known.get(key) ?? validatorOf(openApiDocument(routes, { closed: true }));
  known.set(key, at);
  const validate = at(pointer);
  if (validate(JSON.parse(String(payload)))) return undefined;
  return (validate.errors ?? [])
    .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`)
    .join('; ');
}
