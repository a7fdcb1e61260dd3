/** Lists between services are cut by bytes: one that does not fit into a message would fail again at each repeat. */
import { MAX_LIST_BYTES } from '@tidemark/limits/limits';

/** What ts-proto generates for a message. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
}

/**
 * The first of the items that fit into one message together, and at least one of them: one that is larger than all the room
 * goes alone.
 */
export function fitting<T>(items: readonly T[], codec: Codec<T>, maxBytes = MAX_LIST_BYTES): T[] {
  let bytes = 0;
  const cut = items.findIndex((item, index) => {
    bytes += codec.encode(item).finish().length;
    return index > 0 && bytes > maxBytes;
  });
  return cut === -1 ? [...items] : items.slice(0, cut);
}

/** All items, in pieces that fit. */
export function* inFittingPieces<T>(items: readonly T[], codec: Codec<T>, maxBytes = MAX_LIST_BYTES): Generator<T[]> {
  for (let from = 0; from < items.length; ) {
    const piece = fitting(items.slice(from), codec, maxBytes);
    yield piece;
    from += piece.length;
  }
}
