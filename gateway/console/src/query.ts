/** The query of the address, in which filters are kept: a link to a page shows what its sender saw. Pure. */

export interface Query {
  get(name: string): string | null;
  all(name: string): string[];
  readonly text: string;
  /** The address with another value; an empty one is left out. The page begins anew where a filter changes. */
  with(name: string, value: string): string;
  /** The address with a value more, or without it where it is there. */
  toggled(name: string, value: string): string;
  without(name: string): string;
  /** What of the address the page takes no notice of, such as `state=Faild`. */
  passedOver(taken: Taken): string[];
}

/** The names of the values that a page takes from its address, and which it takes. */
export type Taken = Readonly<Record<string, (value: string) => boolean>>;

export const anything = (): boolean => true;
export const isTrueOrFalse = (value: string): boolean => value === 'true' || value === 'false';

export function queryOf(path: string, search: string): Query {
  const known = new URLSearchParams(search);
  const changed = (change: (next: URLSearchParams) => void): string => {
    const next = new URLSearchParams(known);
    change(next);
    return next.size > 0 ? `${path}?${next}` : path;
  };
  return {
    text: known.toString(),
    get: (name) => known.get(name),
    all: (name) => known.getAll(name),
    with: (name, value) =>
      changed((next) => {
        if (name !== 'after') next.delete('after');
        if (value === '') next.delete(name);
        else next.set(name, value);
      }),
    toggled: (name, value) =>
      changed((next) => {
        next.delete('after');
        if (next.has(name, value)) next.delete(name, value);
        else next.append(name, value);
      }),
    without: (name) => changed((next) => next.delete(name)),
    passedOver: (taken) =>
      [...known].flatMap(([name, value]) =>
        Object.hasOwn(taken, name) && taken[name]?.(value) ? [] : [`${name}=${value}`],
      ),
  };
}
