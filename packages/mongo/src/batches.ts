import { toStoreError } from './mongo-error.ts';

/** What a cursor finds, so many at a time; whatever the driver throws becomes an error of the table. @throws AppError */
export async function* inBatches<T>(cursor: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  try {
    let batch: T[] = [];
    for await (const document of cursor) {
      batch.push(document);
      if (batch.length < size) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  } catch (error) {
    throw toStoreError(error);
  }
}
