/** Lists that come in pages. */

/** What was read of a list. */
export interface Pages<Answer, Item> {
  /** The last answer. */
  readonly answer: Answer;
  readonly items: readonly Item[];
  /** Where it goes on, where there is more. */
  readonly pageToken?: string | undefined;
}

/**
 * Reads pages until so many items are there, or no more follow.
 *
 * @param most is at least 1
 * @param read asks for a page behind a token
 */
export async function readPages<Answer, Item>(
  most: number,
  pageSize: number,
  read: (pageSize: number, pageToken: string | undefined) => Promise<Pages<Answer, Item>>,
): Promise<Pages<Answer, Item>> {
  const items: Item[] = [];
  for (let pageToken: string | undefined; ; ) {
    const page = await read(Math.min(pageSize, most - items.length), pageToken);
    items.push(...page.items);
    // A page that could not be filled in time may be empty and still be followed.
    if (page.pageToken === undefined || page.pageToken === pageToken || items.length >= most)
      return { answer: page.answer, items, pageToken: page.pageToken };
    pageToken = page.pageToken;
  }
}
