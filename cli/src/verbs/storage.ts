import { isAbsolute, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Option } from '@commander-js/extra-typings';
import { MAX_CONCURRENT_BACKUPS, MAX_MANIFEST_KEY, MAX_TRASH_DAYS } from '@tidemark/limits/limits';
import { readFileWithinSync, whyUnread } from '@tidemark/service-kit/bounded-read';
import { answered, found } from '../api.ts';
import type { Storage, StorageBody, StorageCheck } from '../api-types.ts';
import { storageBody } from '../bodies.ts';
import { confirmByName } from '../confirm.ts';
import { CommandError, EXIT, UsageError } from '../exit.ts';
import { examples, labelsOf, type Program, toId, toIds, toLabel, toTexts, wholeNumber } from '../options.ts';
import type { Run, Session } from '../session.ts';
import type { Column, Field } from '../table.ts';
import { counted, labelsOf as labelsText, size, when } from '../text.ts';
import { withOptions } from '../with-options.ts';

const LOOK_MS = 500;
const SETTINGS = [
  new Option('--root <path>', 'first part of the path of every backup'),
  new Option('--max-concurrent <count>', 'how many backups at once; 0 is unlimited').argParser(
    wholeNumber(0, MAX_CONCURRENT_BACKUPS),
  ),
  new Option(
    '--trash-days <days>',
    'for how many days deleted good backups stay in its bin; 0 is not at all',
  ).argParser(wholeNumber(0, MAX_TRASH_DAYS)),
  new Option('--env-prefix <prefix>', 'of the workers’ variables that hold its credentials').conflicts(
    'credentialsFile',
  ),
  new Option('--credentials-file <file>', 'of the workers, which holds its credentials'),
  new Option('--no-send-credentials', 'br does not hand the credentials to TiKV'),
  new Option('--usable-by <cluster>', 'only this cluster may use it; may be given again').argParser(toIds),
  new Option('--usable-by-label <name=value>', 'only clusters with this label may; may be given again').argParser(
    toLabel,
  ),
  new Option(
    '--manifest-key <file>',
    'public key (PEM) by which manifests may be signed; may be given again',
  ).argParser(toTexts),
];
type Settings = {
  readonly root?: string;
  readonly maxConcurrent?: number;
  readonly trashDays?: number;
  readonly envPrefix?: string;
  readonly credentialsFile?: string;
  readonly sendCredentials?: boolean;
  readonly usableBy?: string[];
  readonly usableByLabel?: string[];
  readonly manifestKey?: string[];
};

const COLUMNS: readonly Column<Storage>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'TYPE', of: ({ type }) => type },
  { title: 'PLACE', of: placeOf },
  { title: 'AT ONCE', of: ({ maxConcurrent }) => (maxConcurrent === 0 ? 'unlimited' : String(maxConcurrent)) },
  { title: 'BIN', of: binOf },
  { title: 'GONE', of: ({ gone }) => (gone ? 'yes' : '-'), style: ({ gone }) => (gone ? 'red' : undefined) },
  { title: 'USABLE BY', of: usersOf, wide: true },
  { title: 'ROOT', of: ({ root }) => root, wide: true },
];

function placeOf(storage: Storage): string {
  const { type, path, bucket, container, prefix } = storage;
  if (type === 'local') return path ?? '';
  return [bucket ?? container, prefix].filter(Boolean).join('/');
}

function binOf({ trashDays, bin }: Storage): string {
  if (trashDays === 0 && !bin?.backups) return '-';
  return `${trashDays} d${bin?.backups ? `, ${counted(bin.backups, 'backup')} with ${size(bin.sizeBytes)}` : ''}`;
}

function usersOf({ usableBy }: Storage): string {
  return usableBy ? [...usableBy.clusters, labelsText(usableBy.labels)].filter(Boolean).join(',') || 'nobody' : 'all';
}

const fieldsOf = (storage: Storage): Field[] => [
  ['id', storage.id],
  ['type', storage.type],
  ['place', placeOf(storage)],
  ['region', storage.region],
  ['endpoint', storage.endpoint],
  ['root', storage.root],
  ['credentials', storage.credentials && (storage.credentials.file ?? `variables ${storage.credentials.envPrefix}…`)],
  ['at once', storage.maxConcurrent === 0 ? 'unlimited' : String(storage.maxConcurrent)],
  ['bin', binOf(storage)],
  ['usable by', usersOf(storage)],
  ['manifest keys', storage.manifestKeys.length === 0 ? '' : String(storage.manifestKeys.length)],
  ['gone', storage.gone ? 'for good' : '', 'red'],
  ['registered', when(storage.createTime)],
  ['changed', when(storage.updateTime)],
];

export function add(program: Program, run: Run): void {
  const group = program
    .command('storage')
    .summary('register storages, and have workers try them')
    .description('Where backups are written (docs/storages.md). For an admin of all clusters.');

  group
    .command('list')
    .description('Lists the storages.')
    .addHelpText('after', examples('storage list'))
    .action(() =>
      run(async ({ api, output }) => {
        const { data } = await answered(api.GET('/storages'));
        await output.list(data, data.storages, COLUMNS);
      }),
    );

  group
    .command('get')
    .description('Shows a storage, and what lies in its bin.')
    .argument('<storage>', 'its id', toId)
    .addHelpText('after', examples('storage get nfs'))
    .action((storageId) =>
      run(async ({ api, output }) => {
        const { data } = await answered(api.GET('/storages/{storageId}', { params: { path: { storageId } } }));
        await output.record(data, fieldsOf(data.storage));
      }),
    );

  withOptions<Settings>(SETTINGS)(
    group
      .command('add')
      .description(
        'Registers a storage: an absolute folder, or an address as br writes it (s3://, gcs://, azure://). Secrets stay with the workers.',
      )
      .argument('<storage>', 'its id', toId)
      .argument('<address>', 'the folder or the address'),
  )
    .addHelpText(
      'after',
      examples(
        'storage add nfs /mnt/backup --max-concurrent 4',
        "storage add s3 's3://backups/tidb?region=eu-central-1' --env-prefix PROD_ --trash-days 7",
      ),
    )
    .action((storageId, address, options) =>
      run(async ({ api, output, folder, command }) => {
        if (await found(api.GET('/storages/{storageId}', { params: { path: { storageId } } })))
          throw new CommandError(
            `There is a storage ${storageId} already: "${command} storage set ${storageId}" changes it.`,
          );
        const place = isAbsolute(address) ? { type: 'local' as const, path: address } : { url: address };
        const body = changed(place, options, folder);
        const params = { path: { storageId }, query: { revision: 0 } };
        const { data } = await answered(api.PUT('/storages/{storageId}', { params, body }));
        await output.record(data, fieldsOf(data.storage));
      }),
    );

  withOptions<Settings>(SETTINGS)(
    group
      .command('set')
      .description('Changes the registration of a storage; what is left out stays as it is.')
      .argument('<storage>', 'its id', toId)
      .option('--usable-by-all', 'all clusters may use it')
      .option('--gone', 'it is gone for good: its backups can be forgotten, and none is started')
      .option('--not-gone', 'it is there'),
  )
    .addHelpText('after', examples('storage set nfs --max-concurrent 8 --trash-days 7', 'storage set old --gone'))
    .action((storageId, { usableByAll, gone, notGone, ...options }) =>
      run(async ({ api, output, folder }) => {
        if (gone && notGone) throw new UsageError('--gone and --not-gone exclude each other.');
        const { storage } = (await answered(api.GET('/storages/{storageId}', { params: { path: { storageId } } })))
          .data;
        const body = {
          ...changed(storageBody(storage), options, folder),
          ...(usableByAll && { usableBy: null }),
          ...(gone && { gone: true }),
          ...(notGone && { gone: false }),
        };
        const params = { path: { storageId }, query: { revision: storage.revision } };
        const { data } = await answered(api.PUT('/storages/{storageId}', { params, body }));
        await output.record(data, fieldsOf(data.storage));
      }),
    );

  group
    .command('check')
    .description(
      'Has every worker of a pool try a storage with a small file, and shows what each found; exit code 1 where not all is fine.',
    )
    .argument('<storage>', 'its id', toId)
    .option('--pool <pool>', 'whose workers try it (default)')
    .option('--adopt', 'what is there now is the storage, whatever it was known by before')
    .option('--moved', 'the files that lay where the storage was before were moved to where it is now')
    .addHelpText('after', examples('storage check nfs', 'storage check nfs --moved'))
    .action((storageId, { pool, adopt, moved }) =>
      run(async (session) => {
        const { output } = session;
        const body = { ...(pool !== undefined && { pool }), ...(adopt && { adopt }), ...(moved && { moved }) };
        const check = await checkOf(storageId, body, session);
        await output.list({ check }, stepsOf(check), STEPS, {
          text: check.ok ? 'The storage is fine.' : 'Not all is fine.',
          style: check.ok ? 'green' : 'red',
        });
        return check.ok ? EXIT.done : EXIT.failed;
      }),
    );

  group
    .command('remove')
    .description('Removes the registration of a storage; not while a cluster names it or backups lie in it.')
    .argument('<storage>', 'its id', toId)
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('storage remove old'))
    .action((storageId, { yes }) =>
      run(async (session) => {
        const { api, output, tell } = session;
        await confirmByName(storageId, `This removes the registration of the storage ${storageId}.`, yes, session);
        const { data } = await answered(api.DELETE('/storages/{storageId}', { params: { path: { storageId } } }));
        await output.record(data, []);
        if (output.isTable) tell(`The storage ${storageId} is registered no more.`);
      }),
    );
}

interface Step {
  readonly worker: string;
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
}

const STEPS: readonly Column<Step>[] = [
  { title: 'WORKER', of: ({ worker }) => worker },
  { title: 'STEP', of: ({ name }) => name },
  { title: 'IS', of: ({ ok }) => (ok ? 'fine' : 'not fine'), style: ({ ok }) => (ok ? 'green' : 'red') },
  { title: 'WHAT', of: ({ message }) => message },
];

function stepsOf({ worker, steps, workers }: StorageCheck): Step[] {
  const each = workers && workers.length > 0 ? workers : [{ worker, steps }];
  return each.flatMap((one) => one.steps.map(({ name, ok, message }) => ({ worker: one.worker, name, ok, message })));
}

type CheckBody = { readonly pool?: string; readonly adopt?: boolean; readonly moved?: boolean };

async function checkOf(storageId: string, body: CheckBody, { api, stop, tell }: Session): Promise<StorageCheck> {
  const path = { storageId };
  let { check } = (await answered(api.POST('/storages/{storageId}/check', { params: { path }, body }))).data;
  if (check.state !== 'Done') tell(`The check ${check.id} takes longer.`);
  while (check.state !== 'Done') {
    await sleep(LOOK_MS, undefined, { signal: stop });
    const params = { path: { storageId, checkId: check.id } };
    check = (await answered(api.GET('/storages/{storageId}/checks/{checkId}', { params }))).data.check;
  }
  return check;
}

/** A registration with what options say. @throws UsageError for a key that cannot be read */
function changed(body: StorageBody, options: Settings, folder: string): StorageBody {
  const {
    root,
    maxConcurrent,
    trashDays,
    envPrefix,
    credentialsFile,
    sendCredentials,
    usableBy,
    usableByLabel,
    manifestKey,
  } = options;
  return {
    ...body,
    ...(root !== undefined && { root }),
    ...(maxConcurrent !== undefined && { maxConcurrent }),
    ...(trashDays !== undefined && { trashDays }),
    ...(envPrefix !== undefined && { credentials: { envPrefix } }),
    ...(credentialsFile !== undefined && { credentials: { file: credentialsFile } }),
    ...(sendCredentials === false && { sendCredentialsToTikv: false }),
    ...((usableBy || usableByLabel) && {
      usableBy: { clusters: usableBy ?? [], labels: labelsOf(usableByLabel ?? []) },
    }),
    ...(manifestKey && { manifestKeys: manifestKey.map((file) => readKey(resolve(folder, file))) }),
  };
}

function readKey(file: string): string {
  try {
    return readFileWithinSync(file, MAX_MANIFEST_KEY).toString('utf8');
  } catch (error) {
    throw new UsageError(`The key ${file} ${whyUnread(error)}.`);
  }
}
