/** What the OpenAPI document says of a route, given with the route: its schemas are the ones that validate. */

import type { CallName } from '@tidemark/contract/calls';
import type { ErrorCode } from '@tidemark/errors/codes';
import type { z } from 'zod';
import type { Paged } from './envelope.ts';

/** The parts of the reference, in its order. */
export const TAGS = {
  Fleet: 'Whether all clusters are safe.',
  Search: 'What an id belongs to.',
  Strategies: 'When a cluster is backed up, and how long its backups are kept.',
  'Fleet strategies': 'Strategies for all clusters with certain labels.',
  Backups: 'Starting, watching, canceling and deleting backups.',
  Restores: 'Bringing a backup back, into an empty cluster.',
  'Log backups': 'Writing the log of a cluster all the time, so that it can be brought back to any second.',
  Drills: 'Restoring into a scratch cluster from time to time, to prove that it can be done.',
  Windows: 'What became of each backup window.',
  Clusters: 'The clusters that Tidemark backs up.',
  Storages: 'Where backups are written.',
  Notifications: 'Who is told of what.',
  Workers: 'Who runs `br`.',
  Tokens: 'Who may do what.',
  Audit: 'Who changed what.',
  Reference: 'This reference itself. It needs no token.',
} as const;

/** One call of the API. */
export interface Operation {
  /** Its name in generated clients; used once. */
  readonly id: string;
  readonly tag: keyof typeof TAGS;
  readonly summary: string;
  readonly description?: string;
  /** The call that it is; left out for what needs no token. */
  readonly call?: CallName;
  /** What the path names. */
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  /** The very schema that the route parses the body with. */
  readonly body?: z.ZodType;
  /** By what they show. */
  readonly bodyExamples?: Readonly<Record<string, unknown>>;
  readonly answer: Answer;
  /** How it can fail in ways of its own, beside those of every call. */
  readonly errors?: readonly ErrorCode[];
  /** Numbers of failures, where existing clients of this very call know others than those of the table. */
  readonly numbers?: { readonly [Code in ErrorCode]?: number };
}

/** What a good answer holds: `data` in the envelope, JSON of its own, or a text of some other type. */
export type Answer =
  | { readonly data: z.ZodType; readonly paged?: Paged; readonly example: unknown }
  | { readonly json: z.ZodType }
  | {
      /** One, or the several that it may be. */
      readonly type: string | readonly string[];
      readonly description: string;
      readonly example?: string;
      /** Of server-sent events, each. */
      readonly event?: z.ZodType;
    };

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route of the API has one. */
    operation?: Operation;
  }
}
