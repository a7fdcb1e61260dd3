/**
 * One call of a person, whichever protocol it came by: authorize, check, prepare, send.
 *
 * 1. Whatever is not the caller's looks as if it were not there; only then the role counts, and then the request.
 * 2. What the audit line of a change names is known as early as it can be, also where the call is refused.
 */

import { create } from '@bufbuild/protobuf';
import { CALLS, type CallName, type Role } from '@tidemark/contract/calls';
import { auditedOf, isSubjectField, rolesFor } from '@tidemark/contract/rules';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { Restore } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { headersFrom, traced } from '@tidemark/tracing/trace';
import { authorizeCluster } from '../authorize.ts';
import { methodOf, type Send, senderOf } from '../backends.ts';
import { ROLES } from '../identity/caller.ts';
import { toError } from '../to-error.ts';
import { authorizeCall } from './authorize-call.ts';
import { STEPS } from './calls.ts';
import { type CallDependencies, callOptions, type RequestScope } from './scope.ts';
import type { Acting, RequestOf, ResponseOf, Steps } from './steps.ts';

/** A call as a protocol brings it. */
export interface Asked<Name extends CallName> {
  /** The cluster that stands outside of the request: authorized before anything of that is read. */
  readonly clusterId?: string | undefined;
  /** @throws AppError `invalid_argument` where there is no request in it */
  read(): {
    readonly request: RequestOf<Name>;
    /** Returned only to callers who may know of its subject. */
    readonly violations?: readonly FieldViolation[];
  };
  /** In place of the call's own. */
  readonly steps?: Steps<Name> | undefined;
}

/** A request that may be sent. */
export interface Prepared<Name extends CallName> {
  readonly request: RequestOf<Name>;
  readonly steps: Steps<Name>;
  readonly acting: Acting;
  /** The caller sees no cluster at all: a list is empty, and an empty list of clusters must not mean all of them. */
  readonly seesNothing: boolean;
}

/**
 * Authorizes and checks a call, and sets what was left out of it.
 *
 * @throws AppError `permission_denied`, `invalid_argument`, as for what does not exist, or what the steps of the call say
 */
export async function prepareCall<Name extends CallName>(
  name: Name,
  { clusterId, read, steps = stepsOf(name) }: Asked<Name>,
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<Prepared<Name>> {
  const call = CALLS[name];
  if (clusterId !== undefined) {
    scope.audited = { clusterId };
    authorizeCluster(scope.caller, call.role, clusterId);
  }
  const { request, violations = [] } = read();
  scope.audited = { ...scope.audited, ...auditedOf(call.request, request), ...steps.names?.(request) };
  if (violations.some(({ field }) => isSubjectField(call, field))) throw invalidArgument(violations);
  const role = highest([call.role, ...rolesFor(call.request, request)]);
  const { seesNothing, ...known } = await authorizeCall(scope, dependencies, {
    call,
    role,
    request,
    clusterStands: steps.clusterStands === true,
    // A stream goes on only as long as its caller sees the cluster.
    needsRecord: methodOf(name).methodKind !== 'unary' || steps.needsRecord?.(request) === true,
  });
  if (violations.length > 0) throw invalidArgument(violations);
  const acting = { scope, dependencies, ...known };
  if (!seesNothing) await steps.prepare?.(request, acting);
  return { request, steps, acting, seesNothing };
}

/** Makes a unary call. @throws AppError as `prepareCall`, and what the services throw */
export async function perform<Name extends CallName>(
  name: Name,
  asked: Asked<Name>,
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<ResponseOf<Name>> {
  const from = headersFrom((header) => scope.headers[header]);
  const attributes = { 'tidemark.request_id': scope.id };
  const options = { kind: 'SERVER', attributes, ...(from.traceparent !== undefined && { from }) } as const;
  return await traced(`gateway ${name}`, options, () => performCall(name, asked, scope, dependencies));
}

async function performCall<Name extends CallName>(
  name: Name,
  asked: Asked<Name>,
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<ResponseOf<Name>> {
  const prepared = await prepareCall(name, asked, scope, dependencies);
  if (prepared.seesNothing) return prepared.steps.ofNothing?.() ?? (create(methodOf(name).output) as ResponseOf<Name>);
  const answer = send(name, prepared);
  const { subject } = CALLS[name];
  const { backup, restore } = prepared.acting;
  const isLookedUp = subject === 'backup' ? backup : subject === 'restore' ? restore : true;
  return isLookedUp ? answer : noteCluster(scope, answer);
}

function send<Name extends CallName>(
  name: Name,
  { request, steps, acting }: Prepared<Name>,
): Promise<ResponseOf<Name>> {
  if (steps.act) return steps.act(request, acting);
  const { scope, dependencies } = acting;
  const options = callOptions(scope, dependencies);
  const { signal } = options;
  // A call that may wait for long ends with the gateway; any other one is soon over.
  const isLong = CALLS[name].answerMs !== undefined && signal !== undefined;
  const toService = senderOf(dependencies.backends, name) as Send<Promise<ResponseOf<Name>>>;
  return toService(
    request,
    isLong ? { ...options, signal: AbortSignal.any([signal, dependencies.stopping]) } : options,
  );
}

/** Notes for the audit line which cluster a backup is of, or a restore goes into, which the service says with its answer or its refusal. */
async function noteCluster<Response extends object>(scope: RequestScope, answer: Promise<Response>): Promise<Response> {
  const note = (clusterId: string | undefined) => {
    if (clusterId) scope.audited = { ...scope.audited, clusterId };
  };
  try {
    const response: Response & { readonly backup?: Backup; readonly restore?: Restore } = await answer;
    note(response.backup?.clusterId ?? response.restore?.target?.clusterId);
    return response;
  } catch (error) {
    note(toError(error).details.info?.clusterId);
    throw error;
  }
}

/** The name of the change that a request asks for, if it does, for its audit line; a dry run asks for none. */
export function auditName<Name extends CallName>(name: Name, request: RequestOf<Name>): string | undefined {
  if ('validateOnly' in request && request.validateOnly) return undefined;
  const { audit } = stepsOf(name);
  return audit ? audit(request) : CALLS[name].audit;
}

export function stepsOf<Name extends CallName>(name: Name): Steps<Name> {
  return (STEPS[name] as Steps<Name> | undefined) ?? {};
}

function highest(roles: readonly Role[]): Role {
  return roles.reduce((most, role) => (ROLES.indexOf(role) > ROLES.indexOf(most) ? role : most));
}
