import { Option } from '@commander-js/extra-typings';
import { answered, found } from '../api.ts';
import type { Cluster, ClusterBody } from '../api-types.ts';
import { clusterBody } from '../bodies.ts';
import { confirmByName } from '../confirm.ts';
import { CommandError, UsageError } from '../exit.ts';
import { examples, labelsOf, type Program, toId, toLabel, toTexts } from '../options.ts';
import type { Run } from '../session.ts';
import type { Column, Field } from '../table.ts';
import { labelsOf as labelsText, when } from '../text.ts';
import { withOptions } from '../with-options.ts';

const PURPOSES = ['production', 'dr', 'scratch'] as const;
const SETTINGS = [
  new Option('--pd <host:port>', 'address of a PD; may be given again').argParser(toTexts),
  new Option('--storage <id>', 'where its backups go').argParser(toId),
  new Option('--version <version>', 'such as 8.5.0; decides which br runs'),
  new Option('--name <name>', 'for people'),
  new Option('--pool <pool>', 'which workers serve it'),
  new Option('--time-zone <zone>', 'IANA name, for strategies that name none'),
  new Option('--label <name=value>', 'for strategies and tokens that choose by labels; may be given again').argParser(
    toLabel,
  ),
  new Option('--purpose <purpose>', 'what it is for').choices(PURPOSES),
  new Option('--ca <file>', 'the authority’s certificate, on the workers'),
  new Option('--cert <file>', 'the certificate, on the workers'),
  new Option('--key <file>', 'its key, on the workers'),
  new Option('--strict-loss', 'after a lost worker no restore goes on until a person says that its host is dead'),
];
type Settings = {
  readonly pd?: string[];
  readonly storage?: string;
  readonly version?: string;
  readonly name?: string;
  readonly pool?: string;
  readonly timeZone?: string;
  readonly label?: string[];
  readonly purpose?: (typeof PURPOSES)[number];
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly strictLoss?: boolean;
};

const COLUMNS: readonly Column<Cluster>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'NAME', of: ({ name }) => name },
  { title: 'VERSION', of: ({ version }) => version },
  { title: 'STORAGE', of: ({ storageId }) => storageId },
  { title: 'PURPOSE', of: ({ purpose }) => purpose },
  { title: 'LABELS', of: ({ labels }) => labelsText(labels) },
  { title: 'POOL', of: ({ pool }) => pool, wide: true },
  { title: 'ZONE', of: ({ timeZone }) => timeZone, wide: true },
  { title: 'PD', of: ({ pd }) => pd.join(','), wide: true },
];

const fieldsOf = (cluster: Cluster): Field[] => [
  ['id', cluster.id],
  ['name', cluster.name],
  ['pd', cluster.pd.join(', ')],
  ['version', cluster.version],
  ['storage', cluster.storageId],
  ['pool', cluster.pool],
  ['purpose', `${cluster.purpose}${cluster.restore.strictLoss ? ', strict about lost workers' : ''}`],
  ['time zone', cluster.timeZone],
  ['labels', labelsText(cluster.labels)],
  ['tls', cluster.tls && `${cluster.tls.ca}, ${cluster.tls.cert}, ${cluster.tls.key}`],
  ['br options', cluster.brOptions && JSON.stringify(cluster.brOptions)],
  ['registered', when(cluster.createTime)],
  ['changed', when(cluster.updateTime)],
];

export function add(program: Program, run: Run): void {
  const group = program
    .command('cluster')
    .summary('register clusters, and look at them')
    .description('The clusters that Tidemark backs up.');

  group
    .command('list')
    .description('Lists the clusters that the token may see.')
    .option('--label <name=value>', 'only those with this label; may be given again', toLabel)
    .option('--text <text>', 'only where the id or the name contains this')
    .addHelpText('after', examples('cluster list', 'cluster list --label env=prod -o wide'))
    .action(({ label, text }) =>
      run(async ({ api, output }) => {
        const query = { ...(label && { label }), ...(text !== undefined && { text }) };
        const { data } = await answered(api.GET('/clusters', { params: { query } }));
        await output.list(data, data.clusters, COLUMNS);
      }),
    );

  group
    .command('get')
    .description('Shows a cluster.')
    .argument('<cluster>', 'its id', toId)
    .addHelpText('after', examples('cluster get orders'))
    .action((clusterId) =>
      run(async ({ api, output }) => {
        const { data } = await answered(api.GET('/clusters/{clusterId}', { params: { path: { clusterId } } }));
        await output.record(data, fieldsOf(data.cluster));
      }),
    );

  withOptions<Settings>(SETTINGS)(
    group.command('add').description('Registers a cluster.').argument('<cluster>', 'its id', toId),
  )
    .addHelpText(
      'after',
      examples(
        'cluster add orders --pd 10.0.0.1:2379 --pd 10.0.0.2:2379 --version 8.5.0 --storage nfs --label env=prod',
      ),
    )
    .action((clusterId, options) =>
      run(async ({ api, output, command }) => {
        const { pd = [], storage } = options;
        if (pd.length === 0 || storage === undefined)
          throw new UsageError('Say --pd and --storage: where the cluster is, and where its backups go.');
        if (await found(api.GET('/clusters/{clusterId}', { params: { path: { clusterId } } })))
          throw new CommandError(
            `There is a cluster ${clusterId} already: "${command} cluster set ${clusterId}" changes it.`,
          );
        const body = changed({ pd, storageId: storage }, options);
        const params = { path: { clusterId }, query: { revision: 0 } };
        const { data } = await answered(api.PUT('/clusters/{clusterId}', { params, body }));
        await output.record(data, fieldsOf(data.cluster));
      }),
    );

  withOptions<Settings>(SETTINGS)(
    group
      .command('set')
      .description(
        'Changes the registration of a cluster; what is left out stays as it is. Labels are replaced as a whole.',
      )
      .argument('<cluster>', 'its id', toId),
  )
    .addHelpText(
      'after',
      examples('cluster set orders --version 8.5.1', 'cluster set orders --label env=prod --label team=shop'),
    )
    .action((clusterId, options) =>
      run(async ({ api, output }) => {
        const { cluster } = (await answered(api.GET('/clusters/{clusterId}', { params: { path: { clusterId } } })))
          .data;
        const body = changed(clusterBody(cluster), options);
        const params = { path: { clusterId }, query: { revision: cluster.revision } };
        const { data } = await answered(api.PUT('/clusters/{clusterId}', { params, body }));
        await output.record(data, fieldsOf(data.cluster));
      }),
    );

  group
    .command('remove')
    .description('Removes the registration of a cluster and its strategies; its backups stay.')
    .argument('<cluster>', 'its id', toId)
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('cluster remove orders'))
    .action((clusterId, { yes }) =>
      run(async (session) => {
        const { api, output, tell } = session;
        await confirmByName(
          clusterId,
          `This removes the cluster ${clusterId} and its strategies: it is not backed up any more. Its backups stay.`,
          yes,
          session,
        );
        const { data } = await answered(api.DELETE('/clusters/{clusterId}', { params: { path: { clusterId } } }));
        await output.record(data, []);
        if (output.isTable) tell(`The cluster ${clusterId} is registered no more.`);
      }),
    );
}

/** A registration with what options say. */
function changed(body: ClusterBody, options: Settings): ClusterBody {
  const { pd, storage, version, name, pool, timeZone, label, purpose, ca, cert, key, strictLoss } = options;
  const tls = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  return {
    ...body,
    ...(pd && { pd }),
    ...(storage !== undefined && { storageId: storage }),
    ...(version !== undefined && { version }),
    ...(name !== undefined && { name }),
    ...(pool !== undefined && { pool }),
    ...(timeZone !== undefined && { timeZone }),
    ...(label && { labels: labelsOf(label) }),
    ...(purpose && { purpose }),
    ...(Object.keys(tls).length > 0 && { tls: { ...body.tls, ...tls } }),
    ...(strictLoss && { restore: { strictLoss } }),
  };
}
