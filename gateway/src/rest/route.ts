/** How a route of a call is written: how its request is read, and how its answer is shown. */

import { create } from '@bufbuild/protobuf';
import { CALLS, type CallName } from '@tidemark/contract/calls';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import type { ErrorCode } from '@tidemark/errors/codes';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { methodOf } from '../backends.ts';
import { type Asked, perform } from '../calls/perform.ts';
import type { Audited, CallDependencies } from '../calls/scope.ts';
import type { RequestInit, RequestOf, ResponseOf, Steps } from '../calls/steps.ts';
import type { Place } from '../edge/in-flight.ts';
import type { Caller } from '../identity/caller.ts';
import { toError } from '../to-error.ts';
import { type Page, success } from './envelope.ts';
import type { Operation } from './operation.ts';
import { refuseMistakenConditions } from './save-conditions.ts';
import { bodyObject, parse } from './validate.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any route under /api/v1 runs. */
    caller: Caller;
    /** Aborts when nobody waits for the answer any more; Fastify's own signal aborts once the body is read. */
    gone: AbortSignal;
    /** Among those that are answered soon; one that becomes a stream gives it back. */
    place: Place;
    /** The caller as the same token proves it now. @throws AppError as at first */
    authenticateAgain: () => Promise<Caller>;
    /** By when the services must have answered, all calls of the request together, on `performance.now()`'s clock. */
    answerBy: number;
    /** What the audit line of a mutation names. */
    audited: Audited;
    /** The code of the error that was answered. */
    failedWith?: ErrorCode;
  }
  interface FastifyContextConfig {
    /** The documented number of this operation's failure, where something inside fails. */
    failureNumber?: number;
    /** The call of a mutation, for the audit line. */
    audit?: string;
    /** How long the services may take, where it is longer than for other routes; in milliseconds. */
    answerMs?: number;
  }
}

/** An operation that is a call. */
export type CallOperation = Operation & { readonly call: CallName };

/** A request of REST; each part is parsed when it is first looked at. */
export interface Read<Params, Query = undefined, Body = undefined> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly request: FastifyRequest;
}

type Parsed<Op, Part extends 'params' | 'query' | 'body'> = Op extends { readonly [Name in Part]: infer Schema }
  ? Schema extends z.ZodType
    ? z.infer<Schema>
    : undefined
  : undefined;

export type ReadOf<Op> = Read<Parsed<Op, 'params'>, Parsed<Op, 'query'>, Parsed<Op, 'body'>>;

export interface Row<Op extends CallOperation> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly operation: Op;
  /** The documented number of its failure, where something inside fails. */
  readonly failureNumber?: number;
  /** The name of the change in audit lines, where it is not the call's. */
  readonly audit?: string;
  /** What the body calls fields of the request that the call calls otherwise. */
  readonly fieldNames?: Readonly<Record<string, string>>;
  /** @throws AppError `invalid_argument` */
  toRequest(read: ReadOf<NoInfer<Op>>): RequestInit<NoInfer<Op>['call']>;
  /** In place of steps of the call. */
  steps?(read: ReadOf<NoInfer<Op>>): Steps<NoInfer<Op>['call']> | undefined;
  /** What the envelope holds. */
  toView(answer: ResponseOf<NoInfer<Op>['call']>, read: ReadOf<NoInfer<Op>>): Shown | Promise<Shown>;
}

export interface Shown {
  readonly data: object;
  readonly page?: Page;
}

/** Adds a route. */
export function route<const Op extends CallOperation>(
  app: FastifyInstance,
  dependencies: CallDependencies,
  {
    method,
    path,
    operation,
    failureNumber,
    audit = CALLS[operation.call].audit,
    fieldNames,
    toRequest,
    steps,
    toView,
  }: Row<Op>,
): void {
  const name: Op['call'] = operation.call;
  const { answerMs } = CALLS[name];
  app.route({
    method,
    url: path,
    config: {
      operation,
      ...(failureNumber !== undefined && { failureNumber }),
      ...(audit !== undefined && { audit }),
      ...(answerMs !== undefined && { answerMs }),
    },
    handler: async (request) => {
      if (audit !== undefined) refuseMistakenConditions(operation, request.query);
      const read = readerOf(operation, request);
      const asked = askedOf(operation, read, () => toRequest(read));
      const answer = await perform(name, { ...asked, steps: steps?.(read) }, request, dependencies).catch(
        (error: unknown) => Promise.reject(fieldNames ? withFieldNames(error, fieldNames) : error),
      );
      const { data, page } = await toView(answer, read);
      return success(data, page);
    },
  });
}

/** The same error, by what the body calls the bad fields. */
function withFieldNames(thrown: unknown, names: Readonly<Record<string, string>>): unknown {
  const { code, details } = toError(thrown);
  if (code !== 'invalid_argument' || !details.fields) return thrown;
  const nameIn = (field: string) => /^\w+/.exec(field)?.[0] ?? '';
  if (!details.fields.some(({ field }) => nameIn(field) in names)) return thrown;
  const named = ({ field, description }: FieldViolation) => {
    const name = nameIn(field);
    return { field: (names[name] ?? name) + field.slice(name.length), description };
  };
  return invalidArgument(details.fields.map(named));
}

/** What a request of REST asks of its call. */
export function askedOf<Op extends CallOperation>(
  operation: Op,
  read: ReadOf<Op>,
  toRequest: () => RequestInit<Op['call']>,
): Asked<Op['call']> {
  const { clusterId } = (read.params ?? {}) as { readonly clusterId?: string };
  return {
    clusterId,
    read: () => ({ request: create(methodOf(operation.call).input, toRequest()) as RequestOf<Op['call']> }),
  };
}

export function readerOf<Op extends CallOperation>({ params, query, body }: Op, request: FastifyRequest): ReadOf<Op> {
  const read = {
    // Before anything else, also where nothing looks at them.
    params: params && parse(params, request.params),
    get query() {
      return query && parse(query, request.query);
    },
    get body() {
      return body && parse(body, bodyObject(request.body));
    },
    request,
  };
  return read as unknown as ReadOf<Op>;
}
