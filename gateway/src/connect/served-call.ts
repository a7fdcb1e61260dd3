/** How the table of served calls is written: a row for each RPC of a public service. */
import type { DescMessage, DescService, MessageShape } from '@bufbuild/protobuf';
import type { FieldViolation } from '@tidemark/errors/app-error';
import type { Backup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { Call } from '../authorize.ts';
import type { RequestScope, RouteDependencies } from '../rest/route.ts';

/** How it is found out whose a call is. Whatever is not the caller's looks as if it were not there. */
export type Scope<Request> =
  /** Of the cluster that a field names. */
  | { readonly kind: 'cluster'; readonly field: string; readonly id: (request: Request) => string }
  /** Of all clusters that a list names; an empty one means all that the caller sees, and is filled with them. */
  | { readonly kind: 'clusters'; readonly field: string; readonly ids: (request: Request) => string[] }
  /** Of the cluster that the record of a backup names; of the one that the request names itself, where it does. */
  | {
      readonly kind: 'backup';
      readonly id: (request: Request) => string;
      readonly clusterId?: (request: Request) => string;
    }
  /** Of no cluster: for those who see all of them. */
  | { readonly kind: 'all' };

export type Audited = RequestScope['audited'];

/** A call under way, with what its row may need. */
export interface Acting {
  readonly scope: RequestScope;
  readonly dependencies: RouteDependencies;
  /** The record, where the scope is a backup's and the record had to be looked at. */
  readonly backup: Backup | undefined;
  /** The clusters that the request itself names, where the scope is a list of them. */
  readonly asked: readonly string[];
}

/** An RPC that people may call. */
export interface ServedCall<Request, Response> {
  /** The row of the table of roles. */
  readonly call: Call;
  readonly of: Scope<Request>;
  /** The name of a mutation in the audit line; undefined where this request changes nothing. */
  readonly audit?: string | ((request: Request) => string | undefined);
  /** What the audit line names beside the cluster and the backup of the scope. */
  readonly names?: (request: Request) => Audited;
  /** Fields that only Tidemark's own processes may set. */
  readonly internal?: readonly (keyof Request & string)[];
  /** What is wrong with the request that the service itself does not look at. */
  readonly check?: (request: Request) => readonly FieldViolation[];
  /** Before the service is called: sets what was left out, and looks for what must be there, as REST does. */
  readonly prepare?: (request: Request, acting: Acting) => void | Promise<void>;
  /** In place of the plain call of the service. */
  readonly act?: (request: Request, acting: Acting) => Promise<Response>;
  /** How long the services may take, where it is longer than for other calls; such a call ends when the gateway stops. */
  readonly answerMs?: number;
}

/** An RPC that only Tidemark's own processes call, and why. */
export interface InternalCall {
  readonly internalBecause: string;
}

/** What is wrong with a field that somebody else sets. */
export const SET_BY_TIDEMARK = "must be left out: it is for Tidemark's own processes";

type Shape<Descriptor> = Descriptor extends DescMessage ? MessageShape<Descriptor> : never;
type Row<Method> = Method extends { readonly input: infer Input; readonly output: infer Output }
  ? ServedCall<Shape<Input>, Shape<Output>> | InternalCall
  : never;

/** A decision for each RPC of a service: one that is new in the proto does not compile without. */
export type ServedCalls<Service extends DescService> = {
  readonly [Method in keyof Service['method']]: Row<Service['method'][Method]>;
};
