import { TOKEN_ROLES, type TokenRole } from '@tidemark/tokens/tokens-file';

/** From the least to the most. */
export const ROLES = TOKEN_ROLES;
export type Role = TokenRole;

/** Who makes a request, and what that one may see. */
export interface Caller {
  /** Id of the token, for limits. */
  readonly tokenId: string;
  /** Name of the token, for records and audit. */
  readonly name: string;
  readonly role: Role;
  /** Ids of clusters, or `*` for all; none for a token whose labels no cluster has. */
  readonly clusters: readonly string[];
}

/** What a token proves: a caller, or one whose clusters must still be looked up by their labels. */
export interface Proof extends Caller {
  /** Every cluster that has all of these is the caller's, beside those named; empty means none. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Judges tokens that an issuer signed. */
export interface SignedTokens {
  /** @throws AppError `unauthenticated`, `token_expired` or `unavailable` */
  verify(token: string): Promise<Proof>;
}
