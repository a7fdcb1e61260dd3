/**
 * The public services over Connect, gRPC-web and gRPC, for any server of Node: which protocol it is says the content type.
 *
 * 1. Nothing of a body is read before the caller is known (health, which orchestrators ask, apart).
 * 2. Every request is reported once, whoever answered it: a row, Connect itself, or nobody.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { DescService } from '@bufbuild/protobuf';
import { createConnectRouter, type HandlerContext } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node';
import { CALLS, type CallName, callOfMethod } from '@tidemark/contract/calls';
import { AppError } from '@tidemark/errors/app-error';
import { Health } from '@tidemark/protocol/connect/grpc/health/v1/health';
import { AuditService } from '@tidemark/protocol/connect/tidemark/backup/v1/audit_service';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { LogBackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup_service';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { RestoreService } from '@tidemark/protocol/connect/tidemark/backup/v1/restore_service';
import { DrillService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/drill_service';
import { FleetService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { NotificationService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/notification_service';
import { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { RetentionService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import { StrategyService } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { AuditTrail } from '../audit.ts';
import { streamIsOver } from '../calls/end-of-stream.ts';
import type { CallDependencies } from '../calls/scope.ts';
import type { Admission } from '../edge/admission.ts';
import type { Limits } from '../edge/limits.ts';
import { cutSlowReader } from '../edge/slow-readers.ts';
import { decodeJson } from '../json-body.ts';
import { log } from '../logger.ts';
import { REQUEST_ID_HEADERS, requestIdOf } from '../request-id.ts';
import { toError } from '../to-error.ts';
import { toConnectError } from './connect-error.ts';
import { healthOf } from './health.ts';
import { addReflection } from './reflection.ts';
import { refuseUnknown } from './refuse-unknown.ts';
import { withRequestTimeout } from './request-timeout.ts';
import { contextOf, type RpcRequest, report, requestOf } from './rpc-request.ts';
import { serveCalls } from './serve-call.ts';
import type { StreamSlot } from './stream-slot.ts';

export interface RpcDependencies extends CallDependencies {
  readonly admission: Admission;
  readonly audit: AuditTrail;
  /** For slow clients over HTTP/2, where the server of HTTP/1.1 sees to its own, and for large messages over either. */
  readonly limits: Pick<Limits, 'requestMs' | 'stalledMs' | 'bodyBytes'>;
}

type NodeRequest = IncomingMessage | Http2ServerRequest;
type NodeResponse = ServerResponse | Http2ServerResponse;

export interface RpcHandler {
  /**
   * Answers a request, such as one for `/tidemark.backup.v1.BackupService/StartBackup`; one whose path is that of no method with
   * the error that there is none.
   *
   * @param from address of the client
   */
  handle(request: NodeRequest, response: NodeResponse, from: string): void;
}

/** The services that people may call. */
export const PUBLIC_SERVICES: readonly DescService[] = [
  BackupService,
  RestoreService,
  LogBackupService,
  RegistryService,
  AuditService,
  StrategyService,
  FleetService,
  OccurrenceService,
  RetentionService,
  DrillService,
  NotificationService,
];

/** Whether people may call a method; those of other services (health, reflection) they may. */
function isServed(typeName: string, method: string): boolean {
  const isPublic = PUBLIC_SERVICES.some((service) => service.typeName === typeName);
  return !isPublic || callOfMethod(`${typeName}/${method}`) !== undefined;
}

/** An option of Connect's serialization, which its router passes on: the way to bytes that are not compressed any more. */
const JSON_OPTIONS = {
  ignoreUnknownFields: true,
  textDecoder: {
    decode(bytes: Uint8Array) {
      try {
        return decodeJson(bytes);
      } catch (error) {
        throw toConnectError(toError(error));
      }
    },
  },
};

/** As over REST: an end, a filter or a level that is misspelt would be none. */
const REFUSES_UNKNOWN_FIELDS: readonly CallName[] = ['createToken', 'planRestore', 'startRestore', 'verifyBackup'];

export function createRpcHandler(dependencies: RpcDependencies): RpcHandler {
  const { admission, stopping, streams, audit, limits } = dependencies;

  /** Lets in who has a token and calls no more than the token may. */
  async function gate({ service, values, protocolName, requestHeader, responseHeader }: HandlerContext): Promise<void> {
    const rpc = requestOf(values);
    rpc.protocol = protocolName;
    for (const name of REQUEST_ID_HEADERS) responseHeader.set(name, rpc.id);
    if (service.typeName === Health.typeName) return;
    try {
      rpc.place = rpc.enter();
      const authorization = requestHeader.get('authorization') ?? undefined;
      rpc.authenticateAgain = () => admission.authenticate(authorization);
      const name = callOfMethod(rpc.method);
      await admission.admit({
        address: rpc.from,
        authorization,
        place: rpc.place,
        call: name && CALLS[name],
        identified: (caller) => {
          rpc.caller = caller;
        },
        answerWith(headers) {
          for (const [header, value] of Object.entries(headers)) responseHeader.set(header, value);
        },
      });
    } catch (thrown) {
      const error = toError(thrown);
      log[error.row.log]({ requestId: rpc.id, code: error.code, error }, 'call refused');
      rpc.outcome = error;
      throw toConnectError(error);
    }
  }

  /** A place among the streams for a call that is none of the table's, and lasts for as long as its client likes. */
  function takeStreamSlot({ values }: HandlerContext): StreamSlot {
    const { caller, place } = requestOf(values);
    const leave = caller && orConnectError(() => streams.enter(caller.tokenId));
    place?.leave();
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(streamIsOver()), streams.limits.streamMs).unref();
    return {
      end: AbortSignal.any([over.signal, stopping]),
      [Symbol.dispose]() {
        clearTimeout(timer);
        leave?.();
      },
    };
  }

  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: limits.bodyBytes,
    // A field that this gateway does not know may be one that a newer service takes from other processes only.
    binaryOptions: { readUnknownFields: false },
    jsonOptions: JSON_OPTIONS,
    requestGate: gate,
  });
  for (const service of PUBLIC_SERVICES) {
    const calls = serveCalls(service, dependencies);
    router.service(service, calls);
    for (const method of service.methods) {
      const [name, serve] = [callOfMethod(`${service.typeName}/${method.name}`), calls[method.localName]];
      if (name && serve && REFUSES_UNKNOWN_FIELDS.includes(name))
        router.rpc(method, serve, { jsonOptions: { ...JSON_OPTIONS, ignoreUnknownFields: false } });
    }
  }
  router.service(Health, healthOf(PUBLIC_SERVICES, stopping, takeStreamSlot));
  addReflection(router, PUBLIC_SERVICES, isServed, takeStreamSlot);

  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return {
    handle(request, response, from) {
      const path = (request.url ?? '').split('?', 1)[0]?.replace(/(?<=.)\/$/, '') ?? '';
      const handler = handlers.get(path);
      if (!handler) return refuseUnknown(response, request.headers);
      const method = path.slice(1);
      const name = callOfMethod(method);
      const rpc: RpcRequest = {
        id: requestIdOf(request.headers),
        from,
        method,
        startedAt: performance.now(),
        protocol: '',
        caller: undefined,
        authenticateAgain: undefined,
        enter: () => admission.enter(response),
        place: undefined,
        audit: name && CALLS[name].audit,
        audited: {},
        outcome: undefined,
      };
      const isComplete = completionOf(response);
      response.once('close', () => report(rpc, audit, response.statusCode, isComplete()));
      if ('stream' in response) cutSlowReader(response, limits.stalledMs);
      // What is left of a message that was refused must not stand before the next request on its connection.
      else response.once('finish', () => request.resume());
      void answer(handler, request, response, rpc, limits.requestMs);
    },
  };
}

async function answer(
  handler: UniversalHandler,
  request: NodeRequest,
  response: NodeResponse,
  rpc: RpcRequest,
  requestMs: number,
): Promise<void> {
  try {
    const universal = universalRequestFromNodeRequest(
      request as IncomingMessage,
      response as ServerResponse,
      undefined,
      contextOf(rpc),
    );
    // A client that asks for as long as it likes has the time of a stream.
    const body =
      'stream' in response && handler.method.methodKind !== 'bidi_streaming'
        ? withRequestTimeout(universal.body as AsyncIterable<Uint8Array>, requestMs, response.stream)
        : universal.body;
    const answered = await handler({ ...universal, body });
    const toEveryClient = {
      ...answered,
      // Read once the body has come to its end, and not before.
      get trailer() {
        return answered.trailer && withPlainMessage(answered.trailer);
      },
    };
    await universalResponseToNodeResponse(toEveryClient, response as ServerResponse);
  } catch (error) {
    // Connect answers what goes wrong in a call; this is a host that is none, or a connection that broke.
    rpc.outcome ??= response.headersSent
      ? undefined
      : new AppError('invalid_argument', 'The request cannot be read.', { cause: error });
    log.info({ requestId: rpc.id, method: rpc.method, error }, 'call could not be answered');
    if (!response.headersSent) refuse(response, 400);
    else response.destroy();
  }
}

function orConnectError<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw toConnectError(toError(error));
  }
}

const GRPC_MESSAGE = 'grpc-message';

/**
 * A message of gRPC with no more escapes than its protocol asks for ("Percent-Encoded"): Connect escapes colons and the like
 * too, which grpc-js does not take back.
 */
function withPlainMessage(trailer: Headers): Headers {
  const escaped = trailer.get(GRPC_MESSAGE);
  if (escaped !== null)
    trailer.set(GRPC_MESSAGE, decodeURIComponent(escaped).replaceAll(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent));
  return trailer;
}

/** Whether a client got the whole answer, once its stream or connection has closed. */
function completionOf(response: NodeResponse): () => boolean {
  if (!('stream' in response)) return () => response.writableFinished;
  const { stream } = response;
  return () => stream.rstCode === constants.NGHTTP2_NO_ERROR;
}

function refuse(response: NodeResponse, status: number): void {
  response.statusCode = status;
  response.end();
}
