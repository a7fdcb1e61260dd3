import type { Db } from 'mongodb';
import { inject } from 'vitest';

/**
 * Drops the database of a test, but on a server that goes with the run: the embedded one answers nobody while it drops,
 * about a millisecond for each document, and other tests would be refused what they have a right to.
 */
export async function dropTestDatabase(db: Db): Promise<void> {
  if (!inject('mongodbIsPrivate')) await db.dropDatabase();
}
