import { createDecipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupMeta, MetaFile, Schema } from '@tidemark/protocol/br/backup';
import { expect, it } from 'vitest';
import type { MetadataProblem } from './catalogue.ts';
import { type Decrypt, PLAIN } from './crypter.ts';
import { walkTables } from './tables.ts';
import { FINISHED_PATH } from './testing/finished-path.ts';
import { sealedBackup } from './testing/sealed-backup.ts';

const json = (value: object) => Buffer.from(JSON.stringify(value));
const database = (name: string) => json({ db_name: { O: name, L: name.toLowerCase() } });
const table = (name: string) => json({ id: 5, name: { O: name, L: name.toLowerCase() }, cols: [] });

/** The names in a catalogue, and what is wrong with it. */
async function namesIn(
  meta: BackupMeta,
  read: (name: string) => Promise<Buffer | undefined> = async () => undefined,
  decrypt: Decrypt = PLAIN,
) {
  const problems: MetadataProblem[] = [];
  const names: string[] = [];
  const walk = { decrypt, read, report: (problem: MetadataProblem) => void problems.push(problem) };
  for await (const one of walkTables(meta, walk)) names.push(`${one.database}/${one.table ?? ''}`);
  return { names, problems };
}

it('names what a real br left, in files of metadata of their own', async () => {
  const meta = BackupMeta.decode(readFileSync(join(FINISHED_PATH, 'backupmeta')));
  const { names, problems } = await namesIn(meta, async (name) => readFileSync(join(FINISHED_PATH, name)));
  expect(problems).toEqual([]);
  expect(names).toContain('mysql/user');
  expect(names.filter((name) => !name.startsWith('mysql/') && !name.startsWith('sys/')).length).toBeGreaterThan(0);
  expect(names.filter((name) => name.includes('__TiDB_BR_Temporary_'))).toEqual([]);
});

it('names what lies in backupmeta itself, databases without tables too', async () => {
  const schemas = [
    Schema.create({ db: database('Shop'), table: table('Orders') }),
    Schema.create({ db: database('empty') }),
    Schema.create({ db: database('__TiDB_BR_Temporary_mysql'), table: table('user') }),
    Schema.create({ db: database('__TiDB_BR_Temporary_of_mine'), table: table('t') }),
  ];
  expect(await namesIn(BackupMeta.create({ schemas }))).toEqual({
    names: ['Shop/Orders', 'empty/', 'mysql/user', '__TiDB_BR_Temporary_of_mine/t'],
    problems: [],
  });
});

it('names what is encrypted', async () => {
  const key = Buffer.from('sixteen bytes ok');
  const backup = sealedBackup(key);
  const decrypt: Decrypt = (content, iv) => createDecipheriv('aes-128-ctr', key, iv).update(content);
  const sealed = backup.get('backupmeta') ?? Buffer.alloc(0);
  const meta = BackupMeta.decode(decrypt(sealed.subarray(16), sealed.subarray(0, 16)));
  const { names, problems } = await namesIn(meta, async (name) => backup.get(name), decrypt);
  expect({ names, problems }).toEqual({ names: ['analyzed/t'], problems: [] });
});

it.each([
  ['no JSON', Buffer.from('{')],
  ['nothing', Buffer.from('null')],
  ['no name', json({ db_name: 'shop' })],
])('reports a schema that is %s, and goes on with the others', async (_, db) => {
  const schemas = [
    Schema.create({ db, table: table('a') }),
    Schema.create({ db: database('shop'), table: table('b') }),
  ];
  const { names, problems } = await namesIn(BackupMeta.create({ schemas }));
  expect(names).toEqual(['shop/b']);
  expect(problems).toMatchObject([
    { kind: 'content', why: expect.stringContaining('a schema in backupmeta cannot be read') },
  ]);
});

it('reports a file of metadata that is missing', async () => {
  const schemaIndex = MetaFile.create({ metaFiles: [{ name: 'backupmeta.schema.000000001' }] as never });
  const { problems } = await namesIn(BackupMeta.fromPartial({ schemaIndex }));
  expect(problems).toMatchObject([{ kind: 'missing', name: 'backupmeta.schema.000000001' }]);
});
