/**
 * Looks before `br restore` is started whether a backup holds what a filter names: `br` restores what is there, be it nothing, and
 * calls that a success.
 */
import { BACKUPMETA, readMeta } from '@tidemark/backupmeta/backupmeta';
import type { MetadataProblem } from '@tidemark/backupmeta/catalogue';
import type { Decrypt } from '@tidemark/backupmeta/crypter';
import { type BackupTable, walkTables } from '@tidemark/backupmeta/tables';
import {
  isAboutDatabase,
  isAboutTable,
  namedRules,
  readTableFilter,
  type TableRule,
  withoutSystem,
} from '@tidemark/br-options/table-filter';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import type { ReadLimit } from '@tidemark/storage/read-limit';
import type { Verdict } from './end.ts';
import { nothingMatched, notInBackup } from './errors.ts';

/**
 * Reads the names of all databases and tables of a backup, each for itself. Undefined where the filter chooses something, and each of
 * its rules that names a database or a table without wildcards is about one that is there.
 *
 * @throws AppError `unavailable` or `storage_unusable` when the storage cannot be reached or used
 */
export async function checkFilter(
  files: BackupFiles,
  filter: readonly string[],
  { decrypt, limit }: { readonly decrypt: Decrypt; readonly limit: ReadLimit },
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  const bytes = await files.read(BACKUPMETA, signal, limit);
  const opened = bytes && readMeta(bytes, decrypt);
  if (opened?.kind !== 'read') return unreadable(opened?.why ?? 'backupmeta is missing');
  const problems: MetadataProblem[] = [];
  const report = (problem: MetadataProblem) => void problems.push(problem);
  const read = (name: string) => files.read(name, signal, limit);
  const look = lookFor(filter);
  for await (const table of walkTables(opened.meta, { decrypt, read, report })) {
    look.saw(table);
    // What is missing of the catalogue may name what the filter chooses.
    if (problems[0]) break;
  }
  return problems[0] ? unreadable(problems[0].why) : look.finding();
}

const unreadable = (why: string): Verdict => ({
  kind: 'refused',
  code: 'SOURCE_UNREADABLE',
  message: `The backup cannot be read: ${why}.`,
});

function lookFor(filter: readonly string[]) {
  const asGiven = readTableFilter(withoutSystem(filter));
  let missing = asGiven.rules.filter(namesOne);
  let isAnyChosen = false;
  return {
    saw({ database, table }: BackupTable): void {
      missing = missing.filter((rule) => !isAbout(rule, database, table));
      isAnyChosen ||= table === undefined ? asGiven.choosesDatabase(database) : asGiven.choosesTable(database, table);
    },
    finding(): Verdict | undefined {
      if (missing.length > 0) return notInBackup(namedRules(missing.map(({ text }) => text)));
      return isAnyChosen ? undefined : nothingMatched(namedRules(filter));
    },
  };
}

/** Whether it stands for a database or a table that must be there: what it takes away need not be. */
const namesOne = ({ isNegated, database, table }: TableRule) =>
  !isNegated && (database.kind === 'exact' || table.kind === 'exact');

function isAbout(rule: TableRule, database: string, table: string | undefined): boolean {
  if (rule.table.kind === 'wildcard') return isAboutDatabase(rule, database);
  return table !== undefined && isAboutTable(rule, database, table);
}
