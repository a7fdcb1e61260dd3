/** What services cut because it does not fit into one message is put together again: a page that people see is whole. */

export interface Piece<Item> {
  readonly items: readonly Item[];
  /** Empty where nothing follows. */
  readonly nextPageToken: string;
}

/**
 * Asks until as many items are there as were wanted, or nothing follows.
 *
 * @param ask with the token of the answer before (the given one at first), and how many items are still wanted
 */
export async function follow<Item>(
  most: number,
  ask: (pageToken: string, left: number) => Promise<Piece<Item>>,
  first = '',
): Promise<{ items: Item[]; nextPageToken: string }> {
  const items: Item[] = [];
  let pageToken = first;
  do {
    const piece = await ask(pageToken, most - items.length);
    items.push(...piece.items.slice(0, most - items.length));
    pageToken = piece.nextPageToken;
  } while (pageToken !== '' && items.length < most);
  return { items, nextPageToken: pageToken };
}
