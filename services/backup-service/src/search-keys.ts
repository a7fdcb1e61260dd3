/** By what a cluster is found: of the names and ids of all, a range of an index, whatever the case. Pure. */

export interface SearchKeys {
  readonly id: string;
  readonly name: string;
}

export const toSearchKey = (text: string): string => text.toLowerCase();

/** @param name of a damaged record it may be anything */
export function searchKeysOf({ _id, name }: { readonly _id: string; readonly name: unknown }): SearchKeys {
  return { id: toSearchKey(_id), name: typeof name === 'string' ? toSearchKey(name) : '' };
}
