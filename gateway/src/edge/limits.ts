/** What the gateway lets anybody ask of it at most (`docs/limits.md`). */
import type { Server, ServerOptions } from 'node:http';
import { type ConfigReader, configReader } from '@tidemark/service-kit/env';

export interface Limits {
  readonly bodyBytes: number;
  /** The request line and all headers together. */
  readonly headerBytes: number;
  readonly headers: number;
  /** Until all headers are there. */
  readonly headersMs: number;
  /** Until the whole request is there, with its body. */
  readonly requestMs: number;
  readonly keepAliveMs: number;
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Requests being answered at the same time, streams not counted. */
  readonly inFlight: number;
  /** … of one token, so that no one of them takes all. */
  readonly inFlightPerToken: number;
  /** How late timers may be before new requests are refused. */
  readonly delayMs: number;
  /** Requests with tokens that are not good, per second and address, and how many may come at once. */
  readonly badTokens: { readonly perSecond: number; readonly burst: number };
  readonly streams: number;
  readonly streamsPerToken: number;
  /** How long one stream lasts; its client connects again. */
  readonly streamMs: number;
  /** After how long a silent stream of events says that it is still there. */
  readonly heartbeatMs: number;
  /** How long a client may take nothing of an answer that lies ready. */
  readonly stalledMs: number;
}

const KIB = 1024;

export function readLimits(reader: ConfigReader): Limits {
  const limits: Limits = {
    bodyBytes: reader.integer('TIDEMARK_BODY_BYTES', {
      about: 'Size of a request’s body.',
      default: 256 * KIB,
      min: KIB,
      max: 64 * 1024 * KIB,
    }),
    headerBytes: reader.integer('TIDEMARK_HEADER_BYTES', {
      about: 'Size of the request line and all headers.',
      default: 16 * KIB,
      min: 4 * KIB,
      max: 1024 * KIB,
    }),
    headers: reader.integer('TIDEMARK_HEADERS', { about: 'Number of headers.', default: 200, min: 20, max: 10_000 }),
    headersMs: reader.seconds('TIDEMARK_HEADERS_SECONDS', {
      about: 'By when all headers of a request must be there.',
      default: 10,
      min: 0.1,
      max: 3_600,
    }),
    requestMs: reader.seconds('TIDEMARK_REQUEST_SECONDS', {
      about: 'By when a whole request must be there.',
      default: 30,
      min: 0.1,
      max: 3_600,
    }),
    keepAliveMs: reader.seconds('TIDEMARK_KEEP_ALIVE_SECONDS', {
      about: 'How long an idle connection is kept.',
      default: 72,
      min: 1,
      max: 3_600,
    }),
    connections: reader.integer('TIDEMARK_CONNECTIONS', {
      about: 'Open connections.',
      default: 4_000,
      min: 1,
      max: 1_000_000,
    }),
    connectionsPerAddress: reader.integer('TIDEMARK_CONNECTIONS_PER_ADDRESS', {
      about: 'Open connections of one address.',
      default: 1_000,
      min: 1,
      max: 1_000_000,
    }),
    inFlight: reader.integer('TIDEMARK_IN_FLIGHT', {
      about: 'Requests that are answered at once, streams not counted.',
      default: 500,
      min: 1,
      max: 1_000_000,
    }),
    inFlightPerToken: reader.integer('TIDEMARK_IN_FLIGHT_PER_TOKEN', {
      about: 'Requests of one token that are answered at once.',
      default: 250,
      min: 1,
      max: 1_000_000,
    }),
    delayMs: reader.seconds('TIDEMARK_DELAY_SECONDS', {
      about: 'How late the process may be before new requests are refused.',
      default: 2,
      min: 0.05,
      max: 60,
    }),
    badTokens: {
      perSecond: reader.integer('TIDEMARK_BAD_TOKENS_PER_SECOND', {
        about: 'Requests with a bad token, a second and address.',
        default: 5,
        min: 1,
        max: 1_000_000,
      }),
      burst: reader.integer('TIDEMARK_BAD_TOKENS_BURST', {
        about: 'Requests with a bad token that may come at once.',
        default: 50,
        min: 1,
        max: 1_000_000,
      }),
    },
    streams: reader.integer('TIDEMARK_STREAMS', { about: 'Open streams.', default: 1_000, min: 1, max: 1_000_000 }),
    streamsPerToken: reader.integer('TIDEMARK_STREAMS_PER_TOKEN', {
      about: 'Open streams of one token.',
      default: 50,
      min: 1,
      max: 1_000_000,
    }),
    streamMs: reader.seconds('TIDEMARK_STREAM_SECONDS', {
      about: 'How long a stream lasts; its client then connects again.',
      default: 3_600,
      min: 1,
      max: 86_400,
    }),
    heartbeatMs: reader.seconds('TIDEMARK_HEARTBEAT_SECONDS', {
      about: 'Between two signs of life of a silent stream.',
      default: 15,
      min: 0.1,
      max: 3_600,
    }),
    stalledMs: reader.seconds('TIDEMARK_STALLED_SECONDS', {
      about: 'How long a client may take nothing of an answer that lies ready.',
      default: 30,
      min: 0.1,
      max: 3_600,
    }),
  };
  if (limits.headersMs > limits.requestMs)
    reader.problem('TIDEMARK_HEADERS_SECONDS must not be more than TIDEMARK_REQUEST_SECONDS');
  return limits;
}

export const DEFAULT_LIMITS: Limits = readLimits(configReader({}));

const MOST_BETWEEN_CHECKS_MS = 1_000;

/** For the HTTP server, with or without TLS. */
export function serverOptions({ headerBytes, headersMs, requestMs }: Limits): ServerOptions {
  return {
    maxHeaderSize: headerBytes,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    // Node looks for late requests this often, and every 30 s by default.
    connectionsCheckingInterval: Math.min(MOST_BETWEEN_CHECKS_MS, Math.ceil(headersMs / 2)),
    ...tlsOptions({ headersMs }),
    // We answer it, in the envelope.
    requireHostHeader: false,
  };
}

/** A connection whose handshake does not come to an end is no better than one whose headers do not. */
export function tlsOptions({ headersMs }: Pick<Limits, 'headersMs'>): { readonly handshakeTimeout: number } {
  return { handshakeTimeout: headersMs };
}

/** Node drops headers beyond its bound without a word: with room for one more, it shows that there were too many. */
export function seeTooManyHeaders(server: Pick<Server, 'maxHeadersCount'>, { headers }: Limits): void {
  server.maxHeadersCount = headers + 1;
}
