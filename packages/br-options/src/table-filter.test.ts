import { describe, expect, it } from 'vitest';
import { namedRules, readTableFilter, tableFilterViolations, withoutSystem } from './table-filter.ts';

const violationsOf = (filter: readonly string[]): Record<string, string> =>
  Object.fromEntries(tableFilterViolations(filter, 'filter').map(({ field, description }) => [field, description]));
const chosen = (filter: readonly string[], names: readonly string[]) => {
  const { choosesTable } = readTableFilter(filter);
  return names.filter((name) => choosesTable(...(name.split('/') as [string, string])));
};

describe('a rule of a table filter', () => {
  it.each([
    'shop.orders',
    'shop.*',
    '*.*',
    'SHOP.Ord?rs',
    'shop.[a-c]*',
    'shop.[!0-9]x',
    'shop.[^a]',
    '`my-db`."a.b"',
    '"a""b".`c``d`',
    'my\\-db.*',
    'größe.*',
    'a$_1.*',
    'shop.log\\$*',
    'mysql_app.*',
  ])('is taken as br takes it: %s', (rule) => expect(violationsOf([rule])).toEqual({}));

  it.each([
    ['', 'database and a table'],
    [' ', 'only between quotes'],
    ['shop', 'database and a table'],
    ['shop.', 'database and a table'],
    ['.orders', 'database and a table'],
    ['shop..orders', 'database and a table'],
    ['shop.orders.id', 'database and a table'],
    ['../shop.orders', 'database and a table'],
    ['!!shop.*', 'has "!"'],
    ['shop.log$*', 'write \\$'],
    ['!shop.tmp$?', 'write \\$'],
    ['# shop.*', 'has "#"'],
    [' shop.*', 'has " "'],
    ['my-db.*', 'has "-" in a name, which br takes only between quotes, such as `my-db`.*'],
    ['s3://bucket/shop.*', 'has ":"'],
    ['@/etc/passwd', 'must not name a file'],
    ['!@rules', 'must not name a file'],
    ['/^shop$/./.*/', 'must not be a regular expression'],
    ['shop./.*/', 'must not be a regular expression'],
    ['`shop.*', 'quotes that are not closed'],
    ['"".orders', 'quotes that are not closed, or nothing between them'],
    ['`shop`x.*', 'database and a table'],
    ['shop.[z-a]', 'no set of letters'],
    ['shop.[!]', 'no set of letters'],
    ['shop.[]', 'no set of letters'],
    ['shop.[a', 'no set of letters'],
    ['shop.[[:alpha:]', 'no set of letters'],
    ['sh\\op.*', 'a backslash'],
    ['shop.a\\', 'a backslash'],
    ['shop.\\é', 'a backslash'],
    ['shop.[\\é]', 'no set of letters'],
    ['a\nb.*', 'at most 512 characters'],
    [`${'a'.repeat(511)}.*`, 'at most 512 characters'],
    ['mysql.user', 'database of the system'],
    ['`MySQL`.*', 'database of the system'],
    ['__TiDB_BR_Temporary_mysql.user', 'database of the system'],
  ])('is refused by its place, with what is wrong: %s', (rule, why) =>
    expect(violationsOf(['shop.*', rule])).toEqual({ 'filter[1]': expect.stringContaining(why) }),
  );

  it('may take a database of the system away', () => expect(violationsOf(['*.*', '!mysql.*'])).toEqual({}));
});

describe('a table filter', () => {
  it('is bounded in number and length, and one that is too long is one violation', () => {
    expect(violationsOf(Array<string>(100).fill('shop.*'))).toEqual({});
    expect(violationsOf(Array<string>(250_000).fill('@'))).toEqual({ filter: 'must be at most 100 rules' });
    expect(violationsOf(Array.from({ length: 33 }, () => `${'ä'.repeat(126)}.tbl`))).toEqual({
      filter: expect.stringContaining('8192 bytes'),
    });
  });

  it('must choose something', () =>
    expect(violationsOf(['!shop.orders'])).toEqual({ filter: expect.stringContaining('must choose something') }));

  it.each<readonly [filter: readonly string[], names: readonly string[]]>([
    [['shop.orders'], ['shop/orders']],
    [['SHOP.ORDERS'], ['shop/orders']],
    [['shop.*'], ['shop/orders', 'Shop/Items']],
    [['*.o*s'], ['shop/orders']],
    [['shop.?rders'], ['shop/orders']],
    [['shop.[m-p]rders'], ['shop/orders']],
    [['shop.[!m-p]*'], ['Shop/Items']],
    [
      ['*.*', '!shop.*', 'shop.orders'],
      ['shop/orders', 'crm/a.b'],
    ],
    [
      ['shop.orders', '*.*', '!shop.orders'],
      ['Shop/Items', 'crm/a.b'],
    ],
    [['crm.`a.b`'], ['crm/a.b']],
    [['crm.a\\.b'], ['crm/a.b']],
    [['crm.*b*'], ['crm/a.b']],
    [['nosuch.*'], []],
    [['!shop.*'], []],
  ])('chooses what its last rule says that matches: %j', (filter, names) => {
    expect(chosen(filter, ['shop/orders', 'Shop/Items', 'crm/a.b'])).toEqual(names);
  });

  it('chooses a database as such by rules about all of its tables', () => {
    const isChosen = (filter: readonly string[]) => readTableFilter(filter).choosesDatabase('shop');
    expect([['shop.*'], ['*.*', '!shop.orders'], ['!shop.*', 'sh?p.*']].map(isChosen)).toEqual([true, true, true]);
    expect([['*.*', '!shop.*'], ['crm.*'], ['shop.o*']].map(isChosen)).toEqual([false, false, false]);
  });

  it('is matched in no time, however many wildcards it has', () => {
    const rule = `${'*a'.repeat(250)}.*`;
    expect(violationsOf([rule])).toEqual({});
    expect(chosen([rule], [`${'a'.repeat(249)}/t`, `${'a'.repeat(250)}/t`])).toEqual([`${'a'.repeat(250)}/t`]);
    expect(chosen([`${'*a'.repeat(250)}b.*`], [`${'a'.repeat(4_000)}/t`])).toEqual([]);
  });

  it('never chooses a database of the system as br gets it, and stays nothing where there is none', () => {
    const filter = readTableFilter(withoutSystem(['*.*']));
    for (const database of ['mysql', 'sys', 'INFORMATION_SCHEMA', '__TiDB_BR_Temporary_mysql']) {
      expect(filter.choosesTable(database, 'user')).toBe(false);
      expect(filter.choosesDatabase(database)).toBe(false);
    }
    expect(filter.choosesTable('mysql_app', 'user')).toBe(true);
    expect(tableFilterViolations(withoutSystem(['*.*']), 'filter')).toEqual([]);
    expect(withoutSystem([])).toEqual([]);
  });

  it('is named by its first rules', () => {
    expect(namedRules(['a.*', 'b.*'])).toBe('a.*, b.*');
    expect(namedRules(Array<string>(7).fill('a.*'))).toBe('a.*, a.*, a.*, a.*, a.* and 2 more');
  });
});
