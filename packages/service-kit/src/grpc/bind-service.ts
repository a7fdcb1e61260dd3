import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ruleViolations } from '@tidemark/contract/rules';
import { invalidArgument } from '@tidemark/errors/app-error';
import type { Logger } from '../logging.ts';
import type { Admission } from './admission.ts';
import type { CallContext } from './call-context.ts';
import { adaptStream, type StreamHandler } from './stream-handler.ts';
import { adaptUnary, type UnaryHandler } from './unary-handler.ts';

/** The handlers of a service, method by method, derived from the interface that ts-proto generates. */
export type Handlers<Server> = {
  [Method in keyof Server as string extends Method ? never : Method]: Server[Method] extends handleUnaryCall<
    infer Request,
    infer Response
  >
    ? UnaryHandler<Request, Response>
    : Server[Method] extends handleServerStreamingCall<infer Request, infer Response>
      ? StreamHandler<Request, Response>
      : never;
};

/** A service with its handlers, ready for `startGrpcServer`. */
export interface ServiceBinding {
  readonly definition: ServiceDefinition;
  /** Full name, such as `tidemark.backup.v1.BackupService`. */
  readonly name: string;
  /** Calls of one group are admitted together; a crowd in one takes nothing from another. */
  readonly group: string;
  /**
   * @param options.admission of the group
   * @param options.beforeCalls is awaited by each call
   * @param options.draining aborts as soon as the server stops: streams end then
   * @param options.stopping aborts when calls under way have had their time
   */
  implementation(options: {
    readonly log: Logger;
    readonly admission: Admission;
    readonly beforeCalls: (signal: AbortSignal) => Promise<void>;
    readonly draining: AbortSignal;
    readonly stopping: AbortSignal;
  }): UntypedServiceImplementation;
}

type AnyHandler = UnaryHandler<unknown, unknown> & StreamHandler<unknown, unknown>;

/**
 * Binds handlers to a service: `bindService<BackupServiceServer>(BackupServiceService, { … })`. A handler gets only requests
 * that keep the rules of the protos.
 *
 * @param options.honorsSight whether the handlers look at what their caller sees (`CallContext.sees`)
 */
export function bindService<Server>(
  definition: ServiceDefinition,
  handlers: Handlers<Server>,
  { group = 'calls', honorsSight = false }: { readonly group?: string; readonly honorsSight?: boolean } = {},
): ServiceBinding {
  const methods = Object.entries(definition);
  const name = methods[0]?.[1].path.split('/')[1] ?? '';
  return {
    definition,
    name,
    group,
    implementation: ({ log, admission, beforeCalls, draining, stopping }) =>
      Object.fromEntries(
        methods.map(([method, { path, responseStream }]) => {
          const handler = (handlers as Record<string, AnyHandler>)[method];
          if (!handler) throw new Error(`${path} has no handler`);
          const checked = (request: unknown): object => requireRules(path, request as object);
          async function* stream(request: unknown, context: CallContext) {
            const valid = checked(request);
            await beforeCalls(context.signal);
            yield* (handler as StreamHandler<unknown, unknown>)(valid, context);
          }
          const unary: UnaryHandler<unknown, unknown> = async (request, context) => {
            const valid = checked(request);
            await beforeCalls(context.signal);
            return (handler as UnaryHandler<unknown, unknown>)(valid, context);
          };
          return [
            method,
            responseStream
              ? adaptStream(stream, { path, log, stopping: draining })
              : adaptUnary(unary, { path, log, stopping, honorsSight }, admission),
          ];
        }),
      ),
  };
}

/** The request. @throws AppError `invalid_argument` naming every field that breaks a rule of the protos */
function requireRules(path: string, request: object): object {
  const violations = ruleViolations(path.slice(1), request);
  if (violations.length > 0) throw invalidArgument(violations);
  return request;
}
