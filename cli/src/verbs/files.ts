/** What the verbs about files of clusters, storages and strategies have in common. */
import { resolve } from 'node:path';
import { MAX_APPLIED_BYTES } from '@tidemark/limits/limits';
import { readFileWithinSync, whyUnread } from '@tidemark/service-kit/bounded-read';
import { type Planned, plan } from '../apply.ts';
import { CommandError, UsageError } from '../exit.ts';
import { nameOf, readManifest, repeatsOf, type Schemas, type Wanted } from '../manifest.ts';
import { toTexts } from '../options.ts';
import { createCompile } from '../schemas.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';

/** The end of what their help says. */
export const FORMAT = `A file is YAML with one or several documents. Each begins with its kind and its name, and then has the fields of the API:

  kind: Storage                 kind: Cluster            kind: Strategy             kind: FleetStrategy
  id: nfs                       id: orders               clusterId: orders          name: prod-nightly
  type: local                   pd: [10.0.0.1:2379]      rule: nightly              selector: {env: prod}
  path: /mnt/backup             storageId: nfs           backupDate: Monday         backupDate: Monday,Friday
  ---                           version: 8.5.0           period: 23:00-2:00         period: 23:00-2:00`;

/** The option that names files. */
export const FILE = ['-f, --file <file>', 'a file, or - for standard input; may be given again', toTexts] as const;

/** What is looked at of the API's OpenAPI document. */
interface Described {
  readonly components?: { readonly schemas?: Schemas };
  readonly paths?: {
    readonly [path: string]: { readonly put?: { readonly parameters?: readonly { readonly name?: string }[] } };
  };
}

/** Reads files, tries them, and compares them with what is there. @throws CommandError where anything is wrong in any of them */
export async function planFiles(files: readonly string[], session: Session): Promise<Planned[]> {
  const { api } = session;
  const texts: { file: string; text: string }[] = [];
  for (const file of files) texts.push({ file, text: await textOf(file, session) });
  // The schemas are those of the server that it is applied to.
  const { data } = await api.GET('/openapi.json');
  const { components, paths } = (data ?? {}) as Described;
  const schemas = components?.schemas;
  if (!schemas) throw new CommandError('Tidemark does not say what its API takes: is it of another version?');
  // An earlier one would pass over the parameters, and save.
  const { parameters = [] } = paths?.['/clusters/{clusterId}']?.put ?? {};
  if (!['validateOnly', 'revision'].every((wanted) => parameters.some(({ name }) => name === wanted)))
    throw new CommandError(
      'This Tidemark knows no dry run of a save: it is of an earlier version than the command line. Nothing was changed.',
    );
  const compile = createCompile(schemas);
  const manifests = texts.map(({ file, text }) =>
    readManifest(file === '-' ? 'standard input' : file, text, schemas, compile),
  );
  const wanted = manifests.flatMap((one): readonly Wanted[] => one.wanted);
  // Others may name what cannot be read: none is tried.
  const unclear = [...manifests.flatMap(({ problems }) => problems), ...repeatsOf(wanted)];
  if (unclear.length > 0) {
    const problems = [...unclear, ...wanted.flatMap((one) => one.problems)];
    throw new UsageError(`${problems.join('\n')}\nNothing was changed.`);
  }
  return await plan(wanted, api);
}

async function textOf(file: string, { folder, input }: Pick<Session, 'folder' | 'input'>): Promise<string> {
  if (file === '-') return await input(MAX_APPLIED_BYTES);
  try {
    return readFileWithinSync(resolve(folder, file), MAX_APPLIED_BYTES).toString('utf8');
  } catch (error) {
    throw new UsageError(`${file} ${whyUnread(error)}.`);
  }
}

const SIGNS = { create: '+', change: '~', none: '=' } as const;
const STYLES = { create: 'green', change: 'yellow', none: undefined } as const;

/** Prints what differs. */
export async function showPlanned(planned: readonly Planned[], { output }: Session): Promise<void> {
  const rows: readonly Row[] = planned.map(({ wanted, action, changes }) => {
    const { kind, id, rule } = wanted;
    return { kind, id, ...(rule !== undefined && { rule }), action, changes };
  });
  await output.list({ documents: rows }, rows, COLUMNS);
}

interface Row extends Pick<Planned, 'action' | 'changes'>, Pick<Wanted, 'kind' | 'id' | 'rule'> {}

const COLUMNS: readonly Column<Row>[] = [
  { title: '', of: ({ action }) => SIGNS[action], style: ({ action }) => STYLES[action] },
  { title: 'WHAT', of: nameOf },
  {
    title: 'CHANGE',
    of: ({ action, changes }) =>
      action === 'none'
        ? 'none'
        : changes
            .map(({ field, from, to }) => `${field}: ${from === undefined ? '' : `${value(from)} → `}${value(to)}`)
            .join('; ') || 'new',
  },
];

const value = (one: unknown): string =>
  one === undefined ? 'nothing' : typeof one === 'string' ? one : JSON.stringify(one);
