import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Logger } from '../logging.ts';
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
  /**
   * @param options.draining aborts as soon as the server is told to stop: streams end then
   * @param options.stopping aborts when calls under way have had their time
   */
  implementation(options: { log: Logger; draining: AbortSignal; stopping: AbortSignal }): UntypedServiceImplementation;
}

type AnyHandler = UnaryHandler<unknown, unknown> & StreamHandler<unknown, unknown>;

/** Binds handlers to a service: `bindService<BackupServiceServer>(BackupServiceService, { … })`. */
export function bindService<Server>(definition: ServiceDefinition, handlers: Handlers<Server>): ServiceBinding {
  const methods = Object.entries(definition);
  const name = methods[0]?.[1].path.split('/')[1] ?? '';
  return {
    definition,
    name,
    implementation: ({ log, draining, stopping }) =>
      Object.fromEntries(
        methods.map(([method, { path, responseStream }]) => {
          const handler = (handlers as Record<string, AnyHandler>)[method];
          if (!handler) throw new Error(`${path} has no handler`);
          return [
            method,
            responseStream
              ? adaptStream(handler, { path, log, stopping: draining })
              : adaptUnary(handler, { path, log, stopping }),
          ];
        }),
      ),
  };
}
