/** What the stack runs besides its servers, in the order in which it is started; stopped in the reverse order. */
export const SERVICE_KINDS = {
  'strategy-service': { main: 'services/strategy-service/src/main.ts', offset: 1, mongodb: true, amqp: false },
  'backup-service': { main: 'services/backup-service/src/main.ts', offset: 2, mongodb: true, amqp: true },
  'scheduler-service': { main: 'services/scheduler-service/src/main.ts', offset: 3, mongodb: true, amqp: false },
  'executor-worker': { main: 'services/executor-worker/src/main.ts', offset: undefined, mongodb: false, amqp: true },
  gateway: { main: 'gateway/src/main.ts', offset: 0, mongodb: false, amqp: false },
} as const satisfies Record<string, ServiceKindRow>;

interface ServiceKindRow {
  /** Below the repository. */
  readonly main: string;
  /** Its port is the gateway's plus this; a worker has none. */
  readonly offset: number | undefined;
  /** Whether it talks to the database. */
  readonly mongodb: boolean;
  /** Whether it talks to the broker. */
  readonly amqp: boolean;
}

export type ServiceKind = keyof typeof SERVICE_KINDS;

/** The port of the documented API. */
export const GATEWAY_PORT = 4116;
/** The gateway's own listener for gRPC is on its port plus this. */
export const GRPC_OFFSET = 4;
/** The operations listener of a process is on its port plus this. */
export const OPERATIONS_OFFSET = 10;
/** The first worker's operations listener is on the gateway's port plus this. */
export const WORKER_OPERATIONS_OFFSET = 14;

/** All kinds in order. */
export const KINDS = Object.keys(SERVICE_KINDS) as ServiceKind[];

/** Copies of each kind where nothing else is said. */
export const DEFAULT_COPIES: Readonly<Record<ServiceKind, number>> = {
  'strategy-service': 1,
  'backup-service': 1,
  'scheduler-service': 1,
  'executor-worker': 2,
  gateway: 1,
};
