/** The OpenAPI document, put together from what each route says of itself. */
import { CALLS } from '@tidemark/contract/calls';
import { ERRORS, type ErrorCode } from '@tidemark/errors/codes';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { Failure, successSchema } from './envelope.ts';
import { type Operation, TAGS } from './operation.ts';

/** A route of the API, as the document needs it. */
export interface DescribedRoute {
  readonly method: string;
  /** Below the prefix. */
  readonly path: string;
  readonly operation: Operation;
  readonly failureNumber: number | undefined;
}

type Json = Record<string, unknown>;
type Schemas = Record<string, Json>;

/** When each failure comes; what of it belongs to one call is in the call's description. */
const MEANINGS: Readonly<Record<ErrorCode, string>> = {
  invalid_argument: 'A parameter, the body or the path is wrong; `details.fields` names each bad field.',
  payload_too_large: 'The body is over 1 MiB.',
  headers_too_large: 'The headers are too large or too many.',
  route_not_found: 'There is nothing at this path.',
  method_not_allowed: 'The path knows other methods; `Allow` names them.',
  unauthenticated: 'No token, or an unknown one.',
  token_expired: 'The token is over.',
  permission_denied: 'The role or the clusters of the token do not allow it.',
  too_many_requests: 'Too many requests with this token; `Retry-After` says when to go on.',
  cluster_not_found: 'No such cluster, or none that this token may see.',
  cluster_busy: 'The cluster has an active backup; `details.backupId` names it.',
  cluster_in_use: 'The cluster has an active backup, or a restore that has not let go of it.',
  storage_not_found: 'No such storage, or none that this cluster may use.',
  storage_unusable: 'The storage cannot be used.',
  storage_in_use:
    'A cluster or a strategy names the storage, or backups lie in it; it cannot be deleted, or closed to them.',
  check_not_found: 'No such check; they are kept for a day.',
  start_expired: 'It is too late to start this backup.',
  backup_in_use: 'The backup is active, pinned or being read.',
  points_would_be_lost:
    'Points of the log backup could be restored no longer: `details.lost` says which, and `details.acknowledge` is what acknowledges that.',
  backup_not_good: 'Only a good backup that nobody deletes can be pinned, verified or restored.',
  backup_not_in_bin: 'Only a backup that lies in the bin of its storage can be undeleted.',
  strategy_not_found: 'No such strategy or rule.',
  strategy_inherited: 'The rule comes from a strategy for labels and cannot be deleted alone.',
  backup_not_found: 'No such backup, or none that this token may see.',
  verification_over: 'No verification of the backup is under way; there is nothing to cancel.',
  backup_over: 'The backup has ended; there is nothing to cancel.',
  restore_not_found: 'No such restore, or none of which this token may see both clusters.',
  log_backup_not_set: 'The cluster has no log backup that could be paused or resumed.',
  log_in_use: 'A restore reads the log, or it is being truncated already.',
  log_backup_active: 'A log is being written, so that its storage cannot be changed; stop it first.',
  restore_over: 'The restore is over; nothing changes it any more.',
  restore_active: 'The restore is under way, or has not let go of its target.',
  point_not_restorable: 'The point lies in no range that can be restored; `details.info.ranges` names those that can.',
  restore_quiet: 'The `br` of a lost worker may still be at work; `quietUntil` says when the target can be released.',
  not_resumable: 'The restore cannot go on, or a person must say first that a host is dead.',
  target_needs_cleaning: 'A restore into the cluster ended in the middle; `details.restoreId` names it.',
  plan_stale: 'The plan that was looked at is not that of today.',
  plan_blocked: 'A check of the plan is blocked, and was not acknowledged; `details.checks` names it.',
  drill_not_found: 'The cluster has no drill.',
  drill_target_refused: 'Drills may not restore into this cluster; the message says why.',
  receiver_not_found: 'No such receiver of notifications.',
  token_not_found: 'No such token, or one for more clusters than this token sees.',
  cursor_too_old: 'What changed since the cursor cannot be told any more; watch without one.',
  revision_changed: 'The record is not at the revision that the save names; `details.revision` is where it is.',
  wrong_state: 'What was asked does not fit the state.',
  conflict: 'Somebody else was quicker, or what was to be new is there already.',
  canceled: 'The caller went away.',
  deadline_exceeded: 'A part of Tidemark did not answer in time, or what was asked about cannot be counted in time.',
  overloaded: 'A part of Tidemark has more to do than it can; `Retry-After` says when to try again.',
  unavailable: 'A part of Tidemark cannot be reached; `Retry-After` says when to try again.',
  internal: 'A fault of Tidemark; its log tells more under the request id.',
};
/** What every call can answer. */
const ALWAYS: readonly ErrorCode[] = [
  'invalid_argument',
  'payload_too_large',
  'headers_too_large',
  'overloaded',
  'unavailable',
  'internal',
];
/** What every call with a token can answer besides. */
const WITH_TOKEN: readonly ErrorCode[] = [
  'unauthenticated',
  'token_expired',
  'permission_denied',
  'too_many_requests',
  'deadline_exceeded',
];
/** Answered with the number of the operation that failed, where it has one. */
const NUMBERED_BY_OPERATION: readonly ErrorCode[] = ['internal', 'overloaded', 'unavailable', 'deadline_exceeded'];

const DESCRIPTION = `Backups of TiDB clusters: when, where, how long they are kept.

Every call needs a token in \`Authorization: Bearer <token>\`, but for those of this reference. The roles are viewer, operator and admin; each includes the one before.

A good answer is \`{"code":0,"message":"OK","data":{…}}\`; lists have \`page\` beside it. A failure says so by its HTTP status and is \`{"code":<number>,"message":<sentence>,"data":{}}\` with a \`requestId\` and, where they help, \`details\`. Tell failures apart by status and number. \`429\` and \`503\` come with \`Retry-After\`, in seconds.

Beyond what the schemas say, existing clients are forgiven much: a path may end in a slash; the body is read as JSON whatever its content type, and an empty one is an empty object; unknown fields are ignored, unless a call says otherwise; an empty string or \`null\` counts as left out, unless the field says what it means; whole numbers may be written as texts.

Answers may gain fields: ignore those that you do not know.`;

/** Remembers every described route below the prefix that is added to the app from now on. */
export function collectOperations(app: FastifyInstance, prefix: string): readonly DescribedRoute[] {
  const routes: DescribedRoute[] = [];
  app.addHook('onRoute', ({ url, method, config }) => {
    if (config?.operation === undefined || !url.startsWith(`${prefix}/`)) return;
    for (const one of [method].flat())
      if (one !== 'HEAD')
        routes.push({
          method: one,
          path: url.slice(prefix.length),
          operation: config.operation,
          failureNumber: config.failureNumber,
        });
  });
  return routes;
}

/** Every way in which a call can fail, with its number. */
export function failuresOf({ operation, failureNumber }: DescribedRoute): { code: ErrorCode; number: number }[] {
  const codes = [...ALWAYS, ...(operation.call === undefined ? [] : WITH_TOKEN), ...(operation.errors ?? [])];
  return codes.map((code) => ({
    code,
    number:
      operation.numbers?.[code] ?? ((NUMBERED_BY_OPERATION.includes(code) && failureNumber) || ERRORS[code].number),
  }));
}

/**
 * The document.
 *
 * @param closed whether answers may hold nothing that the document does not name: for tests, since clients must expect more
 */
export function openApiDocument(
  routes: readonly DescribedRoute[],
  { closed = false }: { readonly closed?: boolean } = {},
): Json {
  const schemas: Schemas = {};
  const converter = schemaConverter(schemas, closed);
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:([A-Za-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: toOperation(route, converter) };
  }
  converter.output(Failure);
  return {
    openapi: '3.1.1',
    info: {
      title: 'Tidemark',
      summary: 'The backup manager for fleets of TiDB clusters.',
      description: DESCRIPTION,
      version: packageJson.version,
      contact: { name: 'The maintainers of Tidemark' },
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/api/v1' }],
    security: [{ token: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token of `tidemark token create`, or of your issuer.',
        },
      },
      headers: {
        RequestId: {
          description: 'The id of the request: yours, if you sent one under this name, else a new one.',
          schema: { type: 'string' },
        },
        RetryAfter: {
          description: 'When to try again, in seconds.',
          schema: { type: 'integer', format: 'int64', minimum: 1 },
        },
      },
      responses: commonAnswers(),
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}

interface Converter {
  /** What a client may send, inline. */
  input(schema: z.ZodType): Json;
  /** What a client gets. @param name of the component, for a schema that has none of its own */
  output(schema: z.ZodType, name?: string): Json;
  /** What a client may send, as a component. */
  body(schema: z.ZodType, name: string): Json;
}

function schemaConverter(schemas: Schemas, closed: boolean): Converter {
  const convert = (schema: z.ZodType, io: 'input' | 'output'): Json => {
    const { $schema: _, $defs = {}, ...json } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' });
    const open = io === 'output' && !closed;
    for (const [name, { id: __, ...one }] of Object.entries($defs as Schemas)) schemas[name] = tidy(one, open) as Json;
    return tidy(json, open) as Json;
  };
  const component = (json: Json, name: string): Json => {
    if ('$ref' in json) return json;
    schemas[name] = json;
    return { $ref: `#/components/schemas/${name}` };
  };
  return {
    input: (schema) => convert(schema, 'input'),
    output: (schema, name) =>
      name === undefined ? convert(schema, 'output') : component(convert(schema, 'output'), name),
    body: (schema, name) => component(convert(schema, 'input'), name),
  };
}

/** Whose content is data, not a schema. */
const DATA_KEYS = ['examples', 'default', 'const', 'enum', 'required'];

/** A schema as people would write it. @param open whether objects may hold more than they name */
function tidy(node: unknown, open: boolean): unknown {
  if (Array.isArray(node)) return node.map((one) => tidy(one, open));
  if (typeof node !== 'object' || node === null) return node;
  const json = Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) => !isNoise(key, value, open))
      .map(([key, value]) => [key, DATA_KEYS.includes(key) ? value : tidy(value, open)]),
  );
  if (typeof json.$ref === 'string') json.$ref = json.$ref.replace('#/$defs/', '#/components/schemas/');
  return sized(nullable(alternatives(json)));
}

/** Without a format generators for languages whose numbers have sizes take the smallest, which no backup of 3 GB fits into. */
function sized(json: Json): Json {
  const { type, ...rest } = json;
  const types = [type].flat();
  const whole = types.includes('integer') || (types.includes('number') && Number.isInteger(json.const));
  if (whole) return { type: Array.isArray(type) ? type : 'integer', format: 'int64', ...rest };
  return types.includes('number') ? { type, format: 'double', ...rest } : json;
}

function isNoise(key: string, value: unknown, open: boolean): boolean {
  return (
    (key === 'propertyNames' && JSON.stringify(value) === '{"type":"string"}') ||
    (key === 'maximum' && value === Number.MAX_SAFE_INTEGER) ||
    (key === 'minimum' && value === Number.MIN_SAFE_INTEGER) ||
    (key === 'additionalProperties' && value === false && open)
  );
}

/** Generators know a value of several types only as alternatives; one of them and null is fine. */
function alternatives(json: Json): Json {
  const { type, ...rest } = json;
  if (!Array.isArray(type) || type.filter((one) => one !== 'null').length < 2) return json;
  return { ...rest, anyOf: type.map((one) => ({ type: one })) };
}

/** `anyOf` something and null, as one type where that is simple; and never one within another. */
function nullable({ anyOf, ...json }: Json): Json {
  if (!Array.isArray(anyOf)) return json;
  const choices = (anyOf as Json[]).flatMap((one) =>
    Object.keys(one).join() === 'anyOf' ? (one.anyOf as Json[]) : [one],
  );
  const [some, none, ...more] = choices;
  const simple = typeof some?.type === 'string' && !('enum' in some) && !('const' in some);
  return simple && none?.type === 'null' && more.length === 0
    ? { ...some, ...json, type: [some.type, 'null'] }
    : { anyOf: choices, ...json };
}

function toOperation(route: DescribedRoute, converter: Converter): Json {
  const { id, tag, summary, description, call, body, bodyExamples, params, query, headers } = route.operation;
  const name = `${id[0]?.toUpperCase()}${id.slice(1)}`;
  const needs = call === undefined ? 'Needs no token.' : `Needs the role ${CALLS[call].role}.`;
  const parameters = [
    ...parametersIn('path', params, converter),
    ...parametersIn('query', query, converter),
    ...parametersIn('header', headers, converter),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: [description, needs].filter(Boolean).join('\n\n'),
    ...(call === undefined && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        // An empty body is an empty object.
        required: !body.safeParse({}).success,
        content: {
          'application/json': { schema: converter.body(body, `${name}Body`), examples: namedExamples(bodyExamples) },
        },
      },
    }),
    responses: { 200: goodAnswer(route.operation, converter, `${name}Answer`), ...badAnswers(route) },
  };
}

function parametersIn(
  where: 'path' | 'query' | 'header',
  schema: z.ZodObject | undefined,
  converter: Converter,
): Json[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = converter.input(schema) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  // Zod leaves out the examples of what it reads before it looks at it.
  return Object.entries(properties).map(([name, { description, examples, example, ...json }]) => ({
    name,
    in: where,
    ...(required.includes(name) && { required: true }),
    ...(description !== undefined && { description }),
    schema: withoutNull(json),
    ...(Array.isArray(examples) && where === 'path' && { example: examples[0] }),
    ...(example !== undefined && { example }),
  }));
}

/** A URL or a header has no null. */
function withoutNull({ type, anyOf, ...json }: Json): Json {
  const types = [type].flat().filter((one) => one !== undefined && one !== 'null');
  const choices = ((anyOf ?? []) as Json[]).filter((one) => one.type !== 'null');
  return {
    ...(types.length > 0 && { type: types.length === 1 ? types[0] : types }),
    ...(choices.length === 1 ? choices[0] : choices.length > 1 && { anyOf: choices }),
    ...json,
  };
}

function namedExamples(examples: Readonly<Record<string, unknown>> = {}): Json {
  return Object.fromEntries(
    Object.entries(examples).map(([summary, value]) => [summary.replaceAll(' ', '-'), { summary, value }]),
  );
}

const IDENTIFIED = { 'x-request-id': { $ref: '#/components/headers/RequestId' } };
const RETRY = { 'retry-after': { $ref: '#/components/headers/RetryAfter' } };

function goodAnswer({ answer }: Operation, converter: Converter, name: string): Json {
  if ('type' in answer)
    return {
      description: answer.description,
      headers: IDENTIFIED,
      content: Object.fromEntries(
        [answer.type].flat().map((type) => [
          type,
          {
            schema: answer.event
              ? converter.output(answer.event)
              : { type: 'string', ...(!type.startsWith('text/') && { format: 'binary' }) },
            ...(answer.example !== undefined && { example: answer.example }),
          },
        ]),
      ),
    };
  if ('json' in answer)
    return {
      description: 'The document.',
      headers: IDENTIFIED,
      content: { 'application/json': { schema: converter.output(answer.json, name) } },
    };
  const { data, paged = false, example } = answer;
  // What several calls answer is one type for clients.
  const shared = data.meta()?.id;
  const page = paged && { page: { page: 1, pageSize: 10, total: 1 } };
  return {
    description: 'Done.',
    headers: IDENTIFIED,
    content: {
      'application/json': {
        schema: converter.output(successSchema(data, paged), shared === undefined ? name : `${shared}Answer`),
        example: { code: 0, message: 'OK', data: example, ...page },
      },
    },
  };
}

type Failures = ReturnType<typeof failuresOf>;

/** Statuses that mean the same in every call, and what their component is called. */
const SAME_EVERYWHERE: Readonly<Record<number, string>> = {
  401: 'Unauthenticated',
  403: 'PermissionDenied',
  413: 'PayloadTooLarge',
  429: 'TooManyRequests',
};

function badAnswers(route: DescribedRoute): Json {
  return Object.fromEntries(
    [...byStatus(failuresOf(route))].map(([status, failures]) => {
      const same = SAME_EVERYWHERE[status];
      return [status, same ? { $ref: `#/components/responses/${same}` } : badAnswer(status, failures)];
    }),
  );
}

function commonAnswers(): Json {
  const common = byStatus([...ALWAYS, ...WITH_TOKEN].map((code) => ({ code, number: ERRORS[code].number })));
  return Object.fromEntries(
    Object.entries(SAME_EVERYWHERE).map(([status, name]) => [
      name,
      badAnswer(Number(status), common.get(Number(status)) ?? []),
    ]),
  );
}

function byStatus(failures: Failures): Map<number, Failures> {
  return Map.groupBy(failures, ({ code }) => ERRORS[code].http);
}

function badAnswer(status: number, failures: Failures): Json {
  return {
    description: failures.map(({ code, number }) => `\`${number}\` ${MEANINGS[code]}`).join('\n\n'),
    headers: { ...IDENTIFIED, ...((status === 429 || status === 503) && RETRY) },
    content: {
      'application/json': {
        schema: { $ref: '#/components/schemas/Failure' },
        examples: Object.fromEntries(failures.map(({ code, number }) => [code, failureExample(code, number)])),
      },
    },
  };
}

function failureExample(code: ErrorCode, number: number): Json {
  const details = code === 'invalid_argument' && {
    details: { fields: [{ field: 'clusterId', description: 'must be set' }] },
  };
  return {
    value: {
      code: number,
      message: MEANINGS[code].replaceAll('`', ''),
      data: {},
      requestId: 'd7c02c92-bf74-4ee7-953f-004020d6470a',
      ...details,
    },
  };
}
