/**
 * The collection `tokens`: one document for each token that was made by a call.
 *
 * TK1. A secret is in the answer that made it, and nowhere else; a document has its SHA-256.
 * TK2. A token that is revoked is removed. Gateways believe what they read of the collection for seconds alone.
 * TK3. Ids are random: two tokens of one name are two.
 */
import { randomBytes } from 'node:crypto';
import { MAX_TOKENS } from '@tidemark/limits/limits';
import { persist } from '@tidemark/mongo/persist';
import { EPOCH } from '@tidemark/mongo/time-range';
import { plus } from '@tidemark/task/time';
import { hashToken, type TokenRole } from '@tidemark/tokens/tokens-file';
import type { Db } from 'mongodb';

export interface StoredToken {
  readonly _id: string;
  readonly name: string;
  /** Of the secret, in hexadecimal. */
  readonly sha256: string;
  readonly role: TokenRole;
  /** Ids, or `*` for all. */
  readonly clusters: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Null: it does not expire. */
  readonly expiresAt: Date | null;
  readonly createTime: Date;
  readonly createdBy: string;
}

/** What a token is made of. */
export type NewToken = Omit<StoredToken, '_id' | 'sha256' | 'createTime'>;

/** Every method throws `unavailable` when the database does. */
export interface TokenStore {
  /** Makes a token; undefined where there are as many as there may be. */
  create(
    token: NewToken,
    signal: AbortSignal,
  ): Promise<{ readonly token: StoredToken; readonly secret: string } | undefined>;
  /** All of them, by name. */
  list(signal: AbortSignal): Promise<StoredToken[]>;
  get(id: string, signal: AbortSignal): Promise<StoredToken | undefined>;
  /** Whether it was there. */
  remove(id: string, signal: AbortSignal): Promise<boolean>;
}

/** Which tokens are not those of files: the gateway asks for these alone. */
export const SECRET_PREFIX = 'tdms_';
const ID_BYTES = 12;
/** For how long one that is over is still shown. */
const KEPT_MS = 30 * 86_400_000;

/** @param now database time */
export function createTokenStore(db: Db, now: () => Date): TokenStore {
  const tokens = db.collection<StoredToken>('tokens');
  return {
    async create(fields, signal) {
      const secret = SECRET_PREFIX + randomBytes(32).toString('base64url');
      const _id = randomBytes(ID_BYTES).toString('hex');
      const token = { _id, ...fields, sha256: hashToken(secret), createTime: now() };
      const isMade = await persist(signal, async () => {
        await tokens.deleteMany({ expiresAt: { $gt: EPOCH, $lt: plus(now(), -KEPT_MS) } });
        if ((await tokens.countDocuments({ _id: { $ne: _id } }, { limit: MAX_TOKENS, signal })) >= MAX_TOKENS)
          return false;
        // A repeat, after an answer that was lost, writes the same.
        await tokens.replaceOne({ _id }, token, { upsert: true });
        return true;
      });
      return isMade ? { token, secret } : undefined;
    },
    list: (signal) =>
      persist(signal, () => tokens.find({}, { signal }).sort({ name: 1, _id: 1 }).limit(MAX_TOKENS).toArray()),
    get: (_id, signal) => persist(signal, async () => (await tokens.findOne({ _id }, { signal })) ?? undefined),
    remove: (_id, signal) => persist(signal, async () => (await tokens.deleteOne({ _id })).deletedCount === 1),
  };
}
