import type { TableName } from './table.ts';

/**
 * TiDB's table filter, as far as `-f` is used in practice: `db.table` with `*` and `?`, in any case, a leading `!` to
 * exclude; the last filter that matches decides.
 */
export function matchesFilters(filters: readonly string[], { db, table }: TableName): boolean {
  const last = filters.findLast((filter) => {
    const [dbPattern = '*', tablePattern = '*'] = filter.replace(/^!/, '').split('.');
    return matches(dbPattern, db) && matches(tablePattern, table);
  });
  return last !== undefined && !last.startsWith('!');
}

function matches(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[`"]/g, '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i').test(name);
}
